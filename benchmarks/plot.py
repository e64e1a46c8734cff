"""Small charts that can be read without colours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = {"color": "0.25", "edgecolor": "black"}
PEER = {"color": "0.85", "edgecolor": "black", "hatch": "///"}
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "+++")

MARKS = "os^vDx+*<>ph"
DASHES = ("-", "--", ":", "-.", (0, (7, 2)))


@dataclass(frozen=True)
class Bar:
    """One bar, of pieces that lie end to end; `ours` is drawn dark where there is one piece."""

    label: str
    pieces: Sequence[float]
    ours: bool


def draw(path: Path, panels: dict[str, Sequence[Bar]], unit: str, pieces: Sequence[str] = ()) -> None:
    """Horizontal bars, a panel under each title, with their sums written out; a legend of the pieces."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    heights = [len(bars) + 1.6 for bars in panels.values()]
    figure, axes = pyplot.subplots(
        len(panels), figsize=(7.5, 0.3 * sum(heights)), squeeze=False, height_ratios=heights
    )
    for axis, (title, bars) in zip(axes[:, 0], panels.items(), strict=True):
        _panel(axis, title, bars, unit, pieces)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def lines(path: Path, series: Mapping[str, Mapping[int, float]], across: str, upwards: str) -> None:
    """One line through each series' points, told apart by marks and dashes; the axes' names."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.5, 4.5))
    for number, (label, points) in enumerate(series.items()):
        mark, dashes = MARKS[number % len(MARKS)], DASHES[number % len(DASHES)]
        axis.plot(
            points.keys(), points.values(), label=label, marker=mark, ls=dashes, color="0.3", lw=1, ms=4
        )
    axis.set_xlabel(across, fontsize=8)
    axis.set_ylabel(upwards, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, handlelength=4)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panel(axis: Any, title: str, bars: Sequence[Bar], unit: str, pieces: Sequence[str]) -> None:
    labels = [bar.label for bar in bars]
    for position, bar in enumerate(bars):
        _bar(axis, position, bar, pieces)
        total = math.fsum(bar.pieces)
        axis.annotate(f" {total:.3g}", (total, position), va="center", fontsize=7)
    axis.set_yticks(range(len(bars)), labels, fontsize=7)
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.set_title(f"{title}, {unit}", fontsize=8, loc="left")
    axis.tick_params(axis="x", labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    if pieces:
        axis.legend(fontsize=7, loc="lower right", frameon=False)


def _bar(axis: Any, position: int, bar: Bar, pieces: Sequence[str]) -> None:
    if not pieces:
        axis.barh(position, bar.pieces[0], **(OURS if bar.ours else PEER))
        return
    left = 0.0
    for name, hatch, width in zip(pieces, HATCHES, bar.pieces, strict=False):
        label = name if position == 0 else None
        axis.barh(position, width, left=left, color="white", edgecolor="black", hatch=hatch, label=label)
        left += width
