"""A live line on standard error: what is going on, and how far it is. Nothing of it stays."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .words import describe_progress


class Display:
    """Shown on a terminal alone, unless it is to be `quiet` there too."""

    def __init__(self, quiet: bool = False) -> None:
        said = TextColumn("{task.description}", markup=False)
        columns = SpinnerColumn(), said, BarColumn(), TimeElapsedColumn()
        console = Console(stderr=True)
        self._progress = Progress(
            *columns, console=console, transient=True, disable=quiet or not console.is_terminal
        )
        self._task = self._progress.add_task("Asking whether the stages are ready", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, words: str) -> None:
        self._progress.update(self._task, description=words)

    def watch(self, progress: dict[str, Any]) -> None:
        """Takes what an event `progress` says."""
        self._progress.update(
            self._task,
            description=describe_progress(progress),
            completed=progress["step"],
            total=progress["steps"] or None,
        )
