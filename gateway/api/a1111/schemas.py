"""AUTOMATIC1111's bodies. What this gateway has no use for is taken, echoed and ignored, as there."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...plan import MAX_SEED, MAX_STEPS
from ..body import Must
from ..examples import INPAINT_EXAMPLES
from ..schemas import MAX_GUIDANCE_SCALE, MAX_IMAGES, MAX_PROMPT

MAX_SIDE = 8192
MAX_BLUR = 64
RANDOM_SEED = -1
CHECKPOINT = "sd_model_checkpoint"

Count = Annotated[int, Field(ge=1, le=MAX_IMAGES), Must(f"a whole number from 1 to {MAX_IMAGES}")]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE), Must(f"a whole number from 1 to {MAX_SIDE}, in pixels")]
Flag = Annotated[bool, Must("true or false")]
Share = Annotated[float, Field(ge=0, le=1), Must("a number from 0 to 1")]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT), Must(f"a string of at most {MAX_PROMPT} characters")]
Name = Annotated[str | None, Field(max_length=100), Must("a name of at most 100 characters, or null")]
Settings = Annotated[dict[str, Any], Must("an object of settings")]


class Txt2Img(BaseModel):
    """What to make; with null a field has its default. Unknown fields have no effect."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    prompt: Prompt = ""
    negative_prompt: Prompt = ""
    seed: Annotated[
        int,
        Field(ge=RANDOM_SEED, le=MAX_SEED, description="-1 for a random one."),
        Must("a whole number from -1 to 2^63-1"),
    ] = RANDOM_SEED
    sampler_name: Name = None
    sampler_index: Name = "Euler"
    scheduler: Name = None
    batch_size: Count = 1
    n_iter: Count = 1
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS), Must(f"a whole number from 1 to {MAX_STEPS}")] = 50
    cfg_scale: Annotated[
        float, Field(ge=0, le=MAX_GUIDANCE_SCALE), Must(f"a number from 0 to {MAX_GUIDANCE_SCALE}")
    ] = 7.0
    width: Side = 512
    height: Side = 512
    denoising_strength: Share = 0.75
    override_settings: Settings = {}
    send_images: Flag = True
    script_name: Name = None
    alwayson_scripts: Annotated[dict[str, Any], Must("an object of scripts")] = {}

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}

    @property
    def number(self) -> int:
        return self.batch_size * self.n_iter

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what is made."""
        return self.width, self.height

    @property
    def final_size(self) -> tuple[int, int]:
        """(width, height) of the answer."""
        return self.size


class HiresTxt2Img(Txt2Img):
    """Text to image, with the second pass that makes it larger: here the picture is scaled."""

    enable_hr: Flag = False
    hr_scale: Annotated[float, Field(ge=1, le=8), Must("a number from 1 to 8")] = 2.0
    hr_resize_x: Annotated[int, Field(ge=0, le=MAX_SIDE), Must(f"a whole number up to {MAX_SIDE}")] = 0
    hr_resize_y: Annotated[int, Field(ge=0, le=MAX_SIDE), Must(f"a whole number up to {MAX_SIDE}")] = 0

    @property
    def final_size(self) -> tuple[int, int]:
        if not self.enable_hr:
            return self.size
        width, height = (round(side * self.hr_scale) for side in self.size)
        x, y = self.hr_resize_x, self.hr_resize_y
        if x and not y:
            return x, round(x * self.height / self.width)
        if y and not x:
            return round(y * self.width / self.height), y
        return x or width, y or height


class Img2Img(Txt2Img):
    """What to make of a picture, or of a part of it."""

    init_images: Annotated[list[str], Must("a list of one picture in base64")] = []
    mask: Annotated[
        str | None,
        Field(description="White where to repaint; or, with an alpha channel, opaque."),
        Must("a picture in base64"),
    ] = None
    mask_blur: Annotated[
        int,
        Field(ge=0, le=MAX_BLUR, description="Pixels that the mask's edge is softened by."),
        Must(f"a whole number from 0 to {MAX_BLUR}"),
    ] = 4
    inpainting_fill: Annotated[
        int,
        Field(
            ge=0,
            le=3,
            description="What the masked part begins with, and keeps as much of as denoising_strength "
            "says: 0 the colours around it, 1 what is there, 2 noise, 3 grey.",
        ),
        Must("0, 1, 2 or 3"),
    ] = 0
    inpaint_full_res: Annotated[
        bool, Field(description="The model sees the masked part alone."), Must("true or false")
    ] = True
    inpaint_full_res_padding: Annotated[
        int,
        Field(ge=0, le=MAX_SIDE, description="Pixels around the masked part that the model sees as well."),
        Must(f"a whole number from 0 to {MAX_SIDE}"),
    ] = 0
    inpainting_mask_invert: Annotated[
        int, Field(ge=0, le=1, description="1: black is repainted."), Must("0 or 1")
    ] = 0
    resize_mode: Annotated[
        int,
        Field(ge=0, le=3, description="0 and 3: stretched. 1: cropped. 2: filled with its edges."),
        Must("0, 1, 2 or 3"),
    ] = 0


class PngInfo(BaseModel):
    image: Annotated[str, Must("a picture in base64")]


class Drawn(BaseModel):
    """The pictures as base64, the request, and a JSON text that says how they were made."""

    images: list[str]
    parameters: dict[str, Any]
    info: str


class PngInfoAnswer(BaseModel):
    """The text in a picture, all of its texts, and the settings in it."""

    info: str
    items: dict[str, str]
    parameters: dict[str, str]


class State(BaseModel):
    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class ProgressAnswer(BaseModel):
    """How far the oldest request is that is under way; 0 where there is none."""

    progress: float = 0.0
    eta_relative: float = 0.0
    state: State = State()
    current_image: str | None = None
    textinfo: str | None = None


TXT2IMG_EXAMPLES: dict[str, Any] = {
    "the least": {"value": {"prompt": "a red apple"}},
    "as its clients send it": {
        "value": {
            "prompt": "a red apple",
            "negative_prompt": "green",
            "sampler_name": "DPM++ 2M",
            "scheduler": "Karras",
            "steps": 20,
            "cfg_scale": 5,
            "width": 256,
            "height": 256,
            "seed": 42,
        }
    },
}
_SQUARE: dict[str, Any] = INPAINT_EXAMPLES["a square in the middle"]["value"]
IMG2IMG_EXAMPLES: dict[str, Any] = {
    "a square in the middle": {
        "value": {
            "prompt": "a red apple",
            "init_images": [_SQUARE["image"]],
            "mask": _SQUARE["mask"],
            "steps": 20,
            "seed": 42,
        }
    }
}
PNG_INFO_EXAMPLES: dict[str, Any] = {"a picture": {"value": {"image": _SQUARE["image"]}}}
