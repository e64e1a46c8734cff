"""What each way to spare the UNet work costs in adherence to the prompt.

`python -m benchmarks.less_work` paints the prompts of `training.evaluate` through the engine, with each of
its options and with all together, judges the pictures with its probe (which `python -m training data` and
`… probe` make), and writes a table and a JSON into this folder. Stopped, it goes on where it was.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import command, page
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.results import Results
from benchmarks.samplers import standard_error
from benchmarks.trial import Record, Trial

FEWER_STEPS = {"num_steps": 9, "schedule": "karras"}
GUIDED_PART = {"guidance_start": 0.0, "guidance_end": 0.75}
DEEP = {"deep_interval": 2}
WAYS: dict[str, dict[str, Any]] = {
    "25 steps of ddim": {"num_steps": 25},
    "13 steps of ddim, the default": {},
    "the same, guidance in the first three quarters": GUIDED_PART,
    "the same, guidance in the middle half": {"guidance_start": 0.25, "guidance_end": 0.75},
    "the same, deep features of every second call": DEEP,
    "the same, deep features of every third call": {"deep_interval": 3},
    "9 steps, karras": FEWER_STEPS,
    "9 steps, karras, and guidance in the first three quarters": {**FEWER_STEPS, **GUIDED_PART},
    "all three": {**FEWER_STEPS, **GUIDED_PART, **DEEP},
}
BASELINE = next(iter(WAYS))
PICTURES = 300
AT_ONCE = 16
TRIALS = 20
COLUMNS = ("way", "UNet work of the first", "show all that was asked for", "within one standard error")


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument(
        "--pictures", type=int, default=PICTURES, help=f"prompts for each way (default {PICTURES})"
    )
    options = parser.parse_args()
    trials = [trial(way, options) for way in WAYS]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "less_work.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials), options.pictures)


def trial(way: str, options: argparse.Namespace) -> Trial:
    arguments = {"fields": WAYS[way], "pictures": options.pictures}
    return Trial(way, "benchmarks.less_work:measure", arguments, {"BATCH_ROWS": str(AT_ONCE)})


def measure(report: Report, fields: Mapping[str, Any], pictures: int) -> None:
    """Paint the prompts, count the rows that the UNet was called for, and judge the pictures."""
    from training import evaluate, probe
    from training.captions import plain_caption
    from triptych.decode import LatentDecoder
    from triptych.variants import VARIANTS
    from triptych.weights import unreported

    eye = probe.trained()
    painter = Painter()
    report.mark("ready")
    chosen = evaluate.subjects(held=True, count=pictures)
    latents = painter.paint([plain_caption(subject) for subject in chosen], fields)
    report.mark("painted")
    images = LatentDecoder(VARIANTS["tiny"], unreported).images(latents)
    shares = evaluate.scores(eye, images, chosen)
    report.result(share=shares["all"], rows=painter.rows, milliseconds=painter.milliseconds())


class Painter:
    """The text encoder and the engine, whose calls of the UNet are counted."""

    def __init__(self) -> None:
        from triptych.denoise import Denoiser
        from triptych.encode import PromptEncoder
        from triptych.variants import VARIANTS
        from triptych.weights import unreported

        self._variant = VARIANTS["tiny"]
        self._encoder = PromptEncoder(self._variant, unreported)
        self._denoiser = Denoiser(self._variant, unreported)
        self._unet = self._denoiser.engine.unet
        self._predict = self._unet.predict
        self.rows: Counter[str] = Counter()
        self._unet.predict = self._counted  # type: ignore[method-assign]

    def paint(self, prompts: Sequence[str], fields: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """A latent a prompt, each with the prompt's number as its seed."""
        from triptych.fields import Fields
        from triptych.requests import DenoiseSettings

        tickets = []
        for seed, prompt in enumerate(prompts):
            request = Fields({"inputs": prompt, "seed": seed, **fields})
            settings = DenoiseSettings.read(request, self._variant)
            tickets.append(self._denoiser.start(*self._encoder.contexts(request, 1), settings))
        return np.concatenate([ticket.latents() for ticket in tickets])

    def milliseconds(self) -> dict[str, float]:
        """What a row takes, by how much of the model is run: the best of many calls with all rows."""
        return {run: self._row_milliseconds(run) for run in self.rows}

    def _counted(self, rows: Sequence[Any]) -> list[Any]:
        self.rows[rows[0].run] += len(rows)
        return self._predict(rows)

    def _row_milliseconds(self, run: str) -> float:
        form = self._unet.native._replace(run=run)
        example = self._unet.example(form, AT_ONCE)
        self._unet.compile(form, AT_ONCE)
        seconds = []
        for _ in range(TRIALS):
            began = time.perf_counter()
            self._unet.run(form, example)
            seconds.append(time.perf_counter() - began)
        return 1000 * min(seconds) / AT_ONCE


def write(records: Mapping[str, Record], pictures: int) -> None:
    """The table into the page, and the JSON beside it."""
    machine = facts()
    page.keep("less_work", machine, records.values())
    baseline = records.get(BASELINE, {})
    text = page.table(COLUMNS, [_row(way, records.get(way), baseline, pictures) for way in WAYS])
    note = f"{pictures} prompts a row. {described(machine, records.values())}"
    page.fill("less_work", f"{text}\n\n{note}")


def _row(
    way: str, record: Record | None, baseline: Mapping[str, Any], pictures: int
) -> list[str | float | None]:
    if record is None or "error" in record or "share" not in baseline:
        return page.absent([way], record, len(COLUMNS))
    error = standard_error(baseline["share"], pictures)
    within = "yes" if record["share"] >= baseline["share"] - error else "no"
    return [way, work(record, baseline) / work(baseline, baseline), f"{record['share']:.3f}", within]


def work(record: Mapping[str, Any], baseline: Mapping[str, Any]) -> float:
    """Milliseconds of the UNet in all, the whole model's at the baseline's pace for every row of it.

    A trial's other runs are compared with its own whole ones, so that the machine's pace cancels out.
    """
    whole = baseline["milliseconds"]["whole"]
    own = record["milliseconds"]
    pace = whole / own.get("whole", own.get("keeping", whole))
    return float(sum(rows * own[run] * pace for run, rows in record["rows"].items()))


if __name__ == "__main__":
    main()
