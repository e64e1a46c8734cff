"""What the benchmarks' commands share: their options, and running the trials that are not finished."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from benchmarks.turns import Turns


def parser(description: str | None, repeats: int | None = None) -> argparse.ArgumentParser:
    """A parser of the options that all commands have, and --repeats for those that time calls."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument(
        "--only",
        default="*",
        metavar="NAME,…",
        help="measure only these of --list; * stands for anything, a participant's name for all its rows",
    )
    options.add_argument("--list", action="store_true", help="name what would be measured, and stop")
    options.add_argument("--fresh", action="store_true", help="measure again what is finished")
    if repeats is not None:
        options.add_argument(
            "--repeats", type=int, default=repeats, help=f"timed calls after the first (default {repeats})"
        )
    options.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "triptych-benchmarks",
        help="folder for random checkpoints (about 12 GB), logs and finished trials (default %(default)s)",
    )
    return options


def add_optimum_python(options: argparse.ArgumentParser) -> None:
    """The option for optimum-intel, which needs older versions of what diffusers needs."""
    options.add_argument(
        "--optimum-python",
        default="",
        metavar="FILE",
        help="the Python of an environment with optimum-intel (default: it is not measured)",
    )


def chosen(trials: Iterable[Trial], only: str) -> list[Trial]:
    """Those of the trials that `only` names, in their order. Exits with a sentence if it names none."""
    known = list(trials)
    patterns = [pattern.strip() for pattern in only.split(",")]
    for pattern in patterns:
        if not any(_named(trial, pattern) for trial in known):
            raise SystemExit(f"--only {pattern}: there is no such measurement; --list names them")
    return [trial for trial in known if any(_named(trial, pattern) for pattern in patterns)]


def run(trials: Sequence[Trial], options: argparse.Namespace, results: Results) -> None:
    """Run the chosen trials that are not finished, one after another, and keep their records."""
    for trial in pending(trials, options, results):
        measure(trial, options, results)


def run_beside(groups: Sequence[Sequence[Trial]], options: argparse.Namespace, results: Results) -> None:
    """Run the chosen groups that are not finished, the trials of a group by turns, and keep their records."""
    selected = chosen([trial for group in groups for trial in group], options.only)
    for group in groups:
        trials = [trial for trial in group if trial in selected]
        if any(options.fresh or results.of(trial) is None for trial in trials):
            print("by turns:", *(trial.name for trial in trials), flush=True)
            turns = Turns([trial.name for trial in trials])
            with ThreadPoolExecutor(len(trials)) as pool:
                for one in [pool.submit(measure, trial, options, results, turns) for trial in trials]:
                    one.result()


def pending(trials: Sequence[Trial], options: argparse.Namespace, results: Results) -> Iterator[Trial]:
    """The chosen trials that are not finished, or all chosen ones with --fresh, each announced."""
    selected = chosen(trials, options.only)
    for position, trial in enumerate(selected, start=1):
        if options.fresh or results.of(trial) is None:
            print(f"[{position}/{len(selected)}] {trial.name}", flush=True)
            yield trial


def measure(
    trial: Trial,
    options: argparse.Namespace,
    results: Results,
    turns: Turns | None = None,
    more: Record | None = None,
) -> None:
    """Run the trial and keep its record, with `more` beside what it says itself."""
    log = options.cache / "logs" / f"{trial.name.replace('/', '-')}.log"
    record = trial.run(log, turns) | (more or {})
    print(f"    {_outcome(record)}", flush=True)
    results.add(record)


def shown(trials: Iterable[Trial]) -> None:
    """Print the trials' names."""
    print(*(trial.name for trial in trials), sep="\n")


def _named(trial: Trial, pattern: str) -> bool:
    return fnmatchcase(trial.name, pattern) or fnmatchcase(trial.name, f"{pattern}/*")


def _outcome(record: Record) -> str:
    memory = record["memory"]
    held = f"{memory['resident']:.0f} MB at most, {memory['anonymous']:.0f} MB of it anonymous"
    return f"FAILED: {record['error']}" if "error" in record else f"done; {held}"
