"""Who is measured: the field's implementations of Stable Diffusion, and this project on each backend.

Each `open_…` function makes one part ready and gives a function that runs it once: from inputs as in
`example`, to what the part gives, in Keras' order of axes. What they import, they import when called:
that is part of what is measured.
"""

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.child import Report

Array = npt.NDArray[Any]
Call = Callable[[], Array]

PARTS = {
    "diffusion": "UNet, one step (both halves of the guidance)",
    "decoder": "Decoder, one image",
    "text_encoder": "Text encoder, one prompt",
    "image_encoder": "Image encoder, one image",
}
IMAGE = 512
LATENT = IMAGE // 8
SCALE = 0.18215
TIMESTEP = 500
OUTPUTS = {
    "diffusion": (2, LATENT, LATENT, 4),
    "decoder": (1, IMAGE, IMAGE, 3),
    "text_encoder": (1, 77, 768),
    "image_encoder": (1, LATENT, LATENT, 4),
}
# By its path: importing this project into a peer's process would change what is measured there.
VOCABULARY = Path(__file__).parents[1] / "services" / "triptych" / "assets" / "clip_vocabulary.txt.gz"
OPTIMUM_OPENER = "open_optimum"
BACKENDS = ("tensorflow", "jax", "torch", "openvino")


@dataclass(frozen=True)
class Participant:
    """One implementation in one way of running it; `needs` names the checkpoint that it reads."""

    name: str
    title: str
    opener: str
    needs: str = ""
    precision: str = "float32"
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.name.startswith("triptych")

    @property
    def label(self) -> str:
        """Title and precision, for a plot."""
        return f"{self.title}, {self.precision}"

    def runs(self, options: argparse.Namespace) -> bool:
        """Whether it can be measured with the environments that the options name."""
        return self.opener != OPTIMUM_OPENER or bool(options.optimum_python)

    def python(self, options: argparse.Namespace) -> str:
        """The interpreter that it runs on."""
        return str(options.optimum_python) if self.opener == OPTIMUM_OPENER else sys.executable


KERAS_CV = Participant("keras-cv", "keras-cv, XLA (its default)", "open_keras_cv", options={"xla": True})
KERAS_CV_PLAIN = Participant(
    "keras-cv-plain", "keras-cv without XLA", "open_keras_cv", options={"xla": False}
)
DIFFUSERS = Participant("diffusers", "diffusers on PyTorch", "open_diffusers", "diffusers")
DIFFUSERS_BFLOAT16 = Participant(
    "diffusers-bfloat16", "diffusers on PyTorch", "open_diffusers", "diffusers", "bfloat16"
)
OPTIMUM = Participant("optimum-intel", "optimum-intel on OpenVINO", OPTIMUM_OPENER, "openvino")
OPTIMUM_BFLOAT16 = Participant(
    "optimum-intel-bfloat16", "optimum-intel on OpenVINO", OPTIMUM_OPENER, "openvino", "bfloat16"
)
PEERS = (KERAS_CV, KERAS_CV_PLAIN, DIFFUSERS, DIFFUSERS_BFLOAT16, OPTIMUM, OPTIMUM_BFLOAT16)


def triptych(backend: str, precision: str = "float32") -> Participant:
    """This project on a backend."""
    suffix = "" if precision == "float32" else f"-{precision}"
    return Participant(
        f"triptych-{backend}{suffix}",
        f"Triptych on {backend}",
        "open_triptych",
        "diffusers",
        precision,
        environment={"KERAS_BACKEND": backend, "DTYPE": precision},
    )


OURS = (*(triptych(backend) for backend in BACKENDS), triptych("openvino", "bfloat16"))


def example(part: str) -> dict[str, Array]:
    """The inputs of a part, the same for everyone, in Keras' order of axes; the timestep is TIMESTEP."""
    random = np.random.default_rng(0)
    if part == "text_encoder":
        tokens = np.full((1, 77), 49407, np.int32)
        tokens[0, :8] = [49406, *random.integers(300, 40_000, 7)]
        return {"tokens": tokens, "positions": np.arange(77, dtype=np.int32)[None]}
    if part == "image_encoder":
        return {"image": random.uniform(-1, 1, (1, IMAGE, IMAGE, 3)).astype(np.float32)}
    if part == "decoder":
        return {"latent": random.standard_normal((1, LATENT, LATENT, 4), np.float32)}
    return {
        "latent": random.standard_normal((2, LATENT, LATENT, 4), np.float32),
        "context": random.standard_normal((2, 77, 768), np.float32),
    }


class Hidden(MetaPathFinder):
    """Finds none of these libraries, as if they were not installed."""

    def __init__(self, libraries: Collection[str]) -> None:
        self._libraries = libraries

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name.partition(".")[0] in self._libraries:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide(*libraries: str) -> None:
    """Make as if these libraries were not installed.

    keras-cv imports PyTorch, and TensorFlow JAX, wherever they find them, which costs time and memory.
    """
    sys.meta_path.insert(0, Hidden(libraries))


def open_keras_cv(report: Report, part: str, xla: bool) -> Call:
    """keras-cv's part with its own initial values, as its StableDiffusion builds, compiles and calls it."""
    hide("jax", "torch")
    import keras_cv

    report.mark("imported")
    whole = stable_diffusion(keras_cv, [part], xla)
    model = getattr(whole, KERAS_CV_PROPERTIES[part])
    report.mark("built")
    inputs = example(part)
    if part == "diffusion":
        inputs["timestep_embedding"] = np.asarray(whole._get_timestep_embedding(TIMESTEP, 2))
    values = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    return lambda: np.asarray(model.predict_on_batch(values))


KERAS_CV_PROPERTIES = {
    "diffusion": "diffusion_model",
    "decoder": "decoder",
    "text_encoder": "text_encoder",
    "image_encoder": "image_encoder",
}


def stable_diffusion(keras_cv: Any, parts: list[str], xla: bool) -> Any:
    """keras_cv.models.StableDiffusion with these parts built without their downloads.

    Its jit_compile=False leaves the models uncompiled, for which Keras 3 chooses XLA all the same;
    here False means no XLA.
    """
    from keras_cv.src.models.stable_diffusion.clip_tokenizer import SimpleTokenizer
    from keras_cv.src.models.stable_diffusion.decoder import Decoder
    from keras_cv.src.models.stable_diffusion.diffusion_model import DiffusionModel
    from keras_cv.src.models.stable_diffusion.image_encoder import ImageEncoder
    from keras_cv.src.models.stable_diffusion.text_encoder import TextEncoder

    builders: dict[str, Callable[[], Any]] = {
        "diffusion": lambda: DiffusionModel(IMAGE, IMAGE, 77, download_weights=False),
        "decoder": lambda: Decoder(IMAGE, IMAGE, download_weights=False),
        "text_encoder": lambda: TextEncoder(77, download_weights=False),
        "image_encoder": lambda: ImageEncoder(download_weights=False),
    }
    whole = keras_cv.models.StableDiffusion(IMAGE, IMAGE, jit_compile=xla)
    whole._tokenizer = SimpleTokenizer(str(VOCABULARY))
    for part in parts:
        model = builders[part]()
        model.compile(jit_compile=xla)
        setattr(whole, f"_{KERAS_CV_PROPERTIES[part]}", model)
    return whole


def open_diffusers(report: Report, part: str, folder: str, precision: str) -> Call:
    """The part as diffusers loads and runs it."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    report.mark("imported")
    loader, subfolder = {
        "diffusion": (UNet2DConditionModel, "unet"),
        "decoder": (AutoencoderKL, "vae"),
        "image_encoder": (AutoencoderKL, "vae"),
        "text_encoder": (CLIPTextModel, "text_encoder"),
    }[part]
    dtype = getattr(torch, precision)
    model = loader.from_pretrained(folder, subfolder=subfolder, torch_dtype=dtype)
    report.mark("built")
    inputs = {name: _torch_tensor(value, dtype) for name, value in example(part).items()}
    runs: dict[str, Callable[[], Any]] = {
        "diffusion": lambda: model(inputs["latent"], TIMESTEP, inputs["context"]).sample,
        "decoder": lambda: model.decode(inputs["latent"] / SCALE).sample,
        "image_encoder": lambda: model.encode(inputs["image"]).latent_dist.mode() * SCALE,
        "text_encoder": lambda: model(inputs["tokens"].long()).last_hidden_state,
    }

    def call() -> Array:
        with torch.inference_mode():
            return _keras_array(runs[part]())

    return call


def open_optimum(report: Report, part: str, folder: str, precision: str) -> Call:
    """The part of the OpenVINO pipeline that optimum-intel exported, for static shapes."""
    import torch

    pipeline = optimum_pipeline(report, folder, precision)
    unet, vae = pipeline.unet, pipeline.vae
    {"diffusion": unet, "decoder": vae.decoder, "image_encoder": vae.encoder}.get(
        part, pipeline.text_encoder
    ).compile()
    report.mark("compiled")
    inputs = {name: _torch_tensor(value, torch.float32) for name, value in example(part).items()}
    runs: dict[str, Callable[[], Any]] = {
        "diffusion": lambda: unet(inputs["latent"], torch.tensor(TIMESTEP), inputs["context"])[0],
        "decoder": lambda: vae.decode(inputs["latent"] / SCALE)[0],
        "image_encoder": lambda: vae.encode(inputs["image"]).latent_dist.mode() * SCALE,
        "text_encoder": lambda: pipeline.text_encoder(inputs["tokens"].long()).last_hidden_state,
    }
    return lambda: _keras_array(runs[part]())


def optimum_pipeline(report: Report, folder: str, precision: str) -> Any:
    """The exported pipeline, loaded, for one image, both halves of the guidance, not compiled yet."""
    from optimum.intel import OVStableDiffusionPipeline

    report.mark("imported")
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    pipeline = OVStableDiffusionPipeline.from_pretrained(
        folder, compile=False, ov_config={"INFERENCE_PRECISION_HINT": hint}
    )
    pipeline.reshape(batch_size=1, height=IMAGE, width=IMAGE, num_images_per_prompt=1)
    report.mark("built")
    return pipeline


def open_triptych(report: Report, part: str, folder: str, precision: str) -> Call:
    """This project's part, as its stage opens it; KERAS_BACKEND and DTYPE say how it is run.

    Unless WEIGHTS_DIR says where, nothing is there of an earlier start.
    """
    os.environ["MODEL"] = folder
    if "WEIGHTS_DIR" not in os.environ:
        os.environ["WEIGHTS_DIR"] = tempfile.mkdtemp(prefix="triptych-benchmark-")
        atexit.register(shutil.rmtree, os.environ["WEIGHTS_DIR"], ignore_errors=True)
    hide(*{"jax", "torch"} - {os.environ["KERAS_BACKEND"]})
    from triptych.compiled import CompiledPart
    from triptych.engine.unet import timestep_embedding
    from triptych.variants import chosen_variant

    report.mark("imported")
    inputs = example(part)
    if part == "diffusion":
        steps = np.repeat(timestep_embedding(TIMESTEP), 2, axis=0)
        inputs = {"latent": inputs["latent"], "timestep_embedding": steps, "context": inputs["context"]}
    states = States(report)
    model = CompiledPart(chosen_variant(states), part, inputs, states)
    states("")
    return lambda: model(**inputs)


STATE_ENDS = {"loading": "filled", "compiling": "compiled"}


class States:
    """Takes the states that a stage reports while it loads, and marks the end of each."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._state = ""

    def __call__(self, state: str, progress: float | None = None) -> None:
        if state != self._state and self._state:
            self._report.mark(STATE_ENDS.get(self._state, self._state))
        self._state = state


def time_calls(report: Report, call: Call, repeats: int) -> Array:
    """Call once to warm up, then time calls, and report all of it; gives what the first gave."""
    report.mark("ready")
    begin = time.perf_counter()
    output = call()
    first = time.perf_counter() - begin
    report.mark("first")
    _settle()
    report.result(first=first, seconds=[seconds_of(call) for _ in range(repeats)])
    return output


def _settle() -> None:
    """Wait for what a start of this project leaves to be done in the background."""
    for thread in threading.enumerate():
        if thread.name == "keep":
            thread.join()


def seconds_of(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _torch_tensor(value: Array, dtype: Any) -> Any:
    import torch

    order = (0, 3, 1, 2) if value.ndim == 4 else tuple(range(value.ndim))
    tensor = torch.from_numpy(np.ascontiguousarray(value.transpose(order)))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _keras_array(tensor: Any) -> Array:
    array: Array = tensor.float().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def checkpoint_options(participant: Participant, cache: Path) -> dict[str, Any]:
    """The participant's own options, and where its checkpoint is."""
    if not participant.needs:
        return dict(participant.options)
    return {
        "folder": str(cache / participant.needs),
        "precision": participant.precision,
        **participant.options,
    }
