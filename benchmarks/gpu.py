"""Stable Diffusion 1.x at 512 × 512 on one NVIDIA GPU, side by side: calls a second, share of the peak.

`python -m benchmarks.gpu` makes every model of every participant ready at the same time, each in a process of
its own and with random weights. Then each is measured in its turn, while the others wait. The tables and
a JSON of everything are written after each, into `--results`. Stopped, it goes on where it was.
"""

import argparse
import fcntl
import math
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks import command, page
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.participants import SCALE, TIMESTEP, Participant, States, seconds_of
from benchmarks.results import Results, ratio
from benchmarks.trial import Record, Trial

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]
Call = Callable[[], object]

PEAKS = {"H100": 989e12, "H200": 989e12}
"""Dense bfloat16 operations a second by the datasheets, by what the device's name contains."""
ORDER = 8192
"""Of the square matrices whose product is the peak that was measured."""
IMAGE = 512
WARM_UPS = 3
READY_SECONDS = 110
TURN_SECONDS = 30
COMPILING = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TORCHINDUCTOR_COMPILE_THREADS": "8"}
"""Several processes share the GPU, and the cores."""
CHIP = "chip"
COLUMNS = (
    "",
    "dtype",
    "calls a second",
    "ms a call",
    "diffusers, bfloat16 ÷ this",
    "of the measured peak",
    "of the datasheet's",
    "compiled in, s",
)


@dataclass(frozen=True)
class Work:
    """What a call does: a part of the model, and how many rows it is called with."""

    part: str
    rows: int
    title: str

    @property
    def name(self) -> str:
        return f"{self.part}-{self.rows}"


WORKS = (
    Work("diffusion", 2, "UNet, 2 rows: a step of one picture with guidance"),
    Work("diffusion", 16, "UNet, 16 rows: a step of eight"),
    Work("decoder", 1, "Decoder, one picture"),
)


def triptych(backend: str) -> Participant:
    """This project on a backend."""
    environment = {"KERAS_BACKEND": backend}
    title = f"Triptych on {backend}"
    return Participant(
        f"triptych-{backend}", title, "open_triptych", precision="bfloat16", environment=environment
    )


def diffusers(precision: str) -> Participant:
    """diffusers, compiled as its documentation says."""
    return Participant(
        f"diffusers-{precision}", "diffusers, torch.compile", "open_diffusers", precision=precision
    )


BASELINE = diffusers("bfloat16")
KERAS_CV = Participant(
    "keras-cv", "keras-cv on jax", "open_keras_cv", "", "mixed_bfloat16", {}, {"KERAS_BACKEND": "jax"}
)
PARTICIPANTS = (BASELINE, diffusers("float16"), KERAS_CV, triptych("torch"), triptych("jax"))


def main() -> None:
    options = parser().parse_args()
    trials = all_trials(options)
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "gpu.jsonl")

    def keep(record: Record) -> None:
        print(f"{record['trial']}: {record.get('error', 'done')}", flush=True)
        results.add(record)
        write(results.latest(trials), options.results)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    measure_all(list(command.pending(trials, options, results)), options, keep)


def parser() -> argparse.ArgumentParser:
    options = command.parser(__doc__, repeats=20)
    options.add_argument(
        "--results", type=Path, default=page.RESULTS, help="folder for gpu.json and gpu.md (%(default)s)"
    )
    options.add_argument(
        "--pause", type=int, metavar="PID", help="a process that is stopped while the calls are measured"
    )
    options.add_argument("--side", type=int, default=IMAGE, help="of the picture in pixels (%(default)s)")
    options.add_argument(
        "--ready-seconds",
        type=int,
        default=READY_SECONDS,
        help="a participant that is not compiled by then has failed (%(default)s)",
    )
    return options


def all_trials(options: argparse.Namespace) -> list[Trial]:
    """The chip's own, and one for each kind of work of each participant."""
    common = {
        "side": options.side,
        "repeats": options.repeats,
        "seconds": options.ready_seconds,
        "turns": str(turns(options.cache)),
    }
    chip = Trial(CHIP, "benchmarks.gpu:measure_chip", {**common, "name": CHIP}, dict(os.environ))
    return [chip, *(trial(one, work, common) for work in WORKS for one in PARTICIPANTS)]


def trial(participant: Participant, work: Work, common: Mapping[str, Any]) -> Trial:
    """One kind of work of one participant, in this environment: it says where a GPU's libraries are."""
    name = trial_name(participant, work)
    arguments = {
        **common,
        "name": name,
        "opener": participant.opener,
        "part": work.part,
        "rows": work.rows,
        "precision": participant.precision,
    }
    environment = {
        **os.environ,
        **COMPILING,
        **participant.environment,
        "DTYPE": participant.precision.removeprefix("mixed_"),
    }
    return Trial(name, "benchmarks.gpu:measure", arguments, environment)


def trial_name(participant: Participant, work: Work) -> str:
    """What --list and --only call a kind of work of a participant."""
    return f"{participant.name}/{work.name}"


def turns(cache: Path) -> Path:
    """The folder of the lock that whoever is measured holds, and of a file for each that is ready."""
    return cache / "gpu-turns"


def measure_all(trials: list[Trial], options: argparse.Namespace, keep: Callable[[Record], None]) -> None:
    """Keep each trial's record when its turn is over. Turns begin when all are ready or have failed."""
    folder = turns(options.cache)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    with ThreadPoolExecutor(max(1, len(trials))) as pool:
        with turn(folder):
            futures = {pool.submit(one.run, log(one, options.cache)): one for one in trials}
            while any(_getting_ready(future, folder, one) for future, one in futures.items()):
                time.sleep(0.1)
        with paused(options.pause):
            for future in as_completed(futures):
                keep(future.result())


def log(trial: Trial, cache: Path) -> Path:
    """Where what the trial's process prints is kept."""
    return cache / "logs" / f"gpu-{flat(trial.name)}.log"


def flat(name: str) -> str:
    """A trial's name as a file can have it."""
    return name.replace("/", "-")


def _getting_ready(future: Future[Record], folder: Path, trial: Trial) -> bool:
    return not future.done() and not (folder / flat(trial.name)).exists()


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Inside, nobody else's turn is on. It ends with the process at the latest."""
    with (folder / "turn").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def paused(pid: int | None) -> Iterator[None]:
    """The process is stopped while the block runs, and goes on whatever comes of it."""
    if pid is None:
        yield
        return
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def own_turn(report: Report, name: str, turns: str) -> Iterator[None]:
    """Say that all is ready, wait for the turn, and be measured inside: within TURN_SECONDS, or be ended."""
    signal.alarm(0)
    report.mark("ready")
    (Path(turns) / flat(name)).touch()
    with turn(Path(turns)):
        signal.alarm(TURN_SECONDS)
        yield
        signal.alarm(0)


def measure(
    report: Report,
    name: str,
    opener: str,
    part: str,
    rows: int,
    precision: str,
    side: int,
    repeats: int,
    seconds: int,
    turns: str,
) -> None:
    """Have the part compiled within so many seconds, or be ended; then time its calls."""
    signal.alarm(seconds)
    call: Call = globals()[opener](report, part, rows, precision, side)
    with own_turn(report, name, turns):
        for _ in range(WARM_UPS):
            call()
        report.result(seconds=[seconds_of(call) for _ in range(repeats)])


def measure_chip(report: Report, name: str, side: int, repeats: int, seconds: int, turns: str) -> None:
    """Count each part's operations for a row, and time products of two large matrices of random bfloat16."""
    import torch

    signal.alarm(seconds)
    device = torch_device()
    operations = {part: operations_of(part, side) for part in ("diffusion", "decoder")}
    order = ORDER if device == "cuda" else ORDER // 16
    left, right = torch.randn(2, order, order, device=device, dtype=torch.bfloat16)

    def product() -> None:
        torch.mm(left, right)
        wait(device)

    with own_turn(report, name, turns):
        for _ in range(WARM_UPS):
            product()
        times = [seconds_of(product) for _ in range(repeats)]
    device_name = torch.cuda.get_device_name() if device == "cuda" else "no GPU"
    report.result(
        device=device_name, operations=operations, seconds=times, peak=2 * order**3 / statistics.median(times)
    )


def operations_of(part: str, side: int) -> int:
    """Floating-point operations of a part for one row, a multiplication and an addition counted as two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        torch_call(torch_model(part), part, example(part, 1, side), torch.float32, "meta")()
    return int(counter.get_total_flops())


def torch_device() -> str:
    """The GPU, where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def wait(device: str) -> None:
    """Until the device has done all that it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def example(part: str, rows: int, side: int) -> dict[str, Array]:
    """The inputs of a part, the same for everyone, in Keras' order of axes; a UNet's timestep is TIMESTEP."""
    random = np.random.default_rng(0)
    inputs = {"latent": random.standard_normal((rows, side // 8, side // 8, 4), np.float32)}
    if part == "diffusion":
        inputs["context"] = random.standard_normal((rows, 77, 768), np.float32)
    return inputs


def keras_example(part: str, rows: int, side: int) -> dict[str, Array]:
    """The inputs as the Keras models take them, in their order."""
    from triptych.engine.unet import timestep_embedding

    inputs = example(part, rows, side)
    if part == "diffusion":
        embedding = np.repeat(timestep_embedding(TIMESTEP), rows, axis=0)
        inputs = {
            "latent": inputs["latent"],
            "timestep_embedding": embedding,
            "context": inputs["context"],
        }
    return inputs


def open_diffusers(report: Report, part: str, rows: int, precision: str, side: int) -> Call:
    """The part as diffusers' documentation has it compiled; inputs and outputs stay on the GPU."""
    import torch

    device, dtype = torch_device(), getattr(torch, precision)
    with torch.device(device):
        model = torch_model(part).to(dtype=dtype, memory_format=torch.channels_last)
    torch.cuda.empty_cache()
    report.mark("filled")
    run = torch_call(model, part, example(part, rows, side), dtype, device, compiled=True)

    def call() -> None:
        with torch.inference_mode():
            run()
        wait(device)

    call()
    report.mark("compiled")
    torch.cuda.empty_cache()
    return call


def torch_model(part: str) -> Any:
    """diffusers' UNet or autoencoder of Stable Diffusion 1.x, with its own initial values."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    if part == "diffusion":
        model = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    else:
        model = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            layers_per_block=2,
            sample_size=IMAGE,
        )
    return model.eval().requires_grad_(False)


def torch_call(
    model: Any, part: str, inputs: Mapping[str, Array], dtype: Any, device: str, compiled: bool = False
) -> Call:
    """A function that runs diffusers' model once."""
    import torch

    def ready(run: Any) -> Any:
        return torch.compile(run, mode="reduce-overhead", fullgraph=True) if compiled else run

    latent = torch.from_numpy(inputs["latent"]).permute(0, 3, 1, 2).to(device, dtype)
    if part == "decoder":
        decode = ready(model.decode)
        return lambda: decode(latent / SCALE, return_dict=False)
    unet = ready(model)
    context = torch.from_numpy(inputs["context"]).to(device, dtype)
    timestep = torch.tensor(TIMESTEP, device=device)
    return lambda: unet(latent, timestep, encoder_hidden_states=context, return_dict=False)


def open_keras_cv(report: Report, part: str, rows: int, precision: str, side: int) -> Call:
    """keras-cv's part, compiled and called as its StableDiffusion does."""
    from triptych.models.kerascv import Decoder, DiffusionModel
    from triptych.skeleton import unfilled

    with unfilled(precision):
        if part == "diffusion":
            model = DiffusionModel(side, side, 77, download_weights=False)
        else:
            model = Decoder(side, side, download_weights=False)
    randomise(model)
    model.compile(jit_compile=True)
    report.mark("filled")
    inputs = keras_example(part, rows, side)
    values = inputs if len(inputs) > 1 else inputs["latent"]
    model.predict_on_batch(values)
    report.mark("compiled")
    return lambda: model.predict_on_batch(values)


def open_triptych(report: Report, part: str, rows: int, precision: str, side: int) -> Call:
    """This project's part, as its stage opens and calls it; KERAS_BACKEND says how it is run."""
    from dataclasses import replace

    from triptych.compiled import CompiledPart
    from triptych.variants import LATENT_CHANNELS, full_variant

    variant = full_variant("1", "random", "random", dict.fromkeys(PARTS, RandomWeights()), LATENT_CHANNELS)
    inputs = keras_example(part, rows, side)
    states = States(report)
    model = CompiledPart(replace(variant, dtype=precision), part, inputs, states)
    states("")
    return lambda: model(**inputs)


PARTS = ("text_encoder", "diffusion", "decoder", "image_encoder")


class RandomWeights:
    """Random values, in models that compute as they do for a checkpoint from elsewhere."""

    def fetch(self, part: str, report: Callable[[str, float | None], None]) -> None:
        """They are here."""

    def fill(self, model: "keras.Model", part: str, report: Callable[[str, float | None], None]) -> None:
        from triptych.checkpoints.maths import match_checkpoint

        report("loading", None)
        match_checkpoint(model, part)
        randomise(model)

    def digest(self, part: str) -> str:
        return "random"


def randomise(model: "keras.Model") -> None:
    """Give the variables of a skeleton random values, out of few: to draw 860 million takes longer."""
    from triptych.programs.layout import numpy_dtype
    from triptych.skeleton import place

    most = max(math.prod(variable.shape) for variable in model.variables)
    dtype = numpy_dtype(model.variables[0].dtype)
    drawn = (0.02 * np.random.default_rng(0).standard_normal(most, np.float32)).astype(dtype)
    for variable in model.variables:
        values = drawn[: math.prod(variable.shape)].reshape(variable.shape)
        place(variable, np.ones_like(values) if variable.path.endswith("gamma") else values)


def write(records: Mapping[str, Record], folder: Path) -> None:
    """The tables and the JSON of all that is known, as gpu.md and gpu.json."""
    machine = facts()
    page.keep("gpu", machine, records.values(), folder)
    chip = records.get(CHIP, {})
    tables = [
        f"**{work.title}**\n\n{page.table(COLUMNS, [row(one, work, records) for one in PARTICIPANTS])}"
        for work in WORKS
    ]
    text = "\n\n".join([*tables, f"{peaks(chip)} {described(machine, records.values(), accelerator(chip))}"])
    (folder / "gpu.md").write_text(f"{text}.\n", "utf-8")


def accelerator(chip: Mapping[str, Any]) -> str:
    """Which GPU it was, for the sentence about the machine."""
    return str(chip.get("device", "the GPU unknown"))


def peaks(chip: Mapping[str, Any]) -> str:
    """What the shares are of, as sentences."""
    if "peak" not in chip:
        return f"The peak was not measured ({chip.get('error', 'left out')})."
    unet, decoder = (chip["operations"][part] / 1e12 for part in ("diffusion", "decoder"))
    known = datasheet(chip)
    said = "is not known here" if math.isnan(known) else f"says {known / 1e12:.0f}"
    return (
        f"A row of the UNet is {unet:.3f} TFLOP, a picture of the decoder {decoder:.3f}. The measured peak "
        f"is {chip['peak'] / 1e12:.3g} TFLOP/s, in products of random bfloat16 matrices; the datasheet "
        f"{said}. All were compiled at the same time."
    )


def row(participant: Participant, work: Work, records: Mapping[str, Record]) -> list[str | float | None]:
    """A participant's line in the table of one kind of work."""
    record = records.get(trial_name(participant, work))
    if record is None or "error" in record:
        return page.absent([participant.title, participant.precision], record, len(COLUMNS))
    median = statistics.median(record["seconds"])
    baseline = records.get(trial_name(BASELINE, work), {}).get("seconds")
    chip = records.get(CHIP, {})
    marks = record["marks"]
    return [
        participant.title,
        participant.precision,
        1 / median,
        1000 * median,
        ratio(statistics.median(baseline), median) if baseline else None,
        percent(share(work, median, chip, chip.get("peak", math.nan))),
        percent(share(work, median, chip, datasheet(chip))),
        marks["compiled"]["seconds"] - marks["filled"]["seconds"],
    ]


def share(work: Work, seconds: float, chip: Mapping[str, Any], peak: float) -> float:
    """Which part of the peak's operations a call is that takes so long; NaN where they were not counted."""
    operations = chip.get("operations", {}).get(work.part, math.nan)
    return float(work.rows * operations / seconds / peak)


def datasheet(chip: Mapping[str, Any]) -> float:
    """The chip's peak by its maker; NaN for one that is not known here."""
    name = chip.get("device", "")
    return next((peak for part, peak in PEAKS.items() if part in name), math.nan)


def percent(value: float) -> str | None:
    return None if math.isnan(value) else f"{value:.0%}"


if __name__ == "__main__":
    main()
