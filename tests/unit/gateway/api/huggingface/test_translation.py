"""From Hugging Face's bodies to requests."""

from gateway.api.huggingface.schemas import AllInOneTask, ImageToImageParameters, TextToImageParameters
from gateway.api.huggingface.translation import read_all_in_one, read_image_to_image, read_text_to_image
from gateway.requests import GenerateRequest
from tests.unit.gateway.pictures import file_of, noise, text_of, white_box

PHOTO = file_of(noise(40, 30))
LIMIT = 10_000


def test_a_prompt_alone_leaves_everything_to_the_stages() -> None:
    assert read_text_to_image("a cat", TextToImageParameters()) == (GenerateRequest("a cat"), [])


def test_parameters_that_are_not_known_are_named() -> None:
    asked = TextToImageParameters.model_validate({"clip_skip": 2, "scheduler": "UniPCMultistepScheduler"})
    assert read_text_to_image("a cat", asked)[1] == [
        "The sampler is DPM++ 2M, the nearest to 'UniPCMultistepScheduler'.",
        "clip_skip has no effect here.",
    ]


def test_a_picture_is_begun_with_in_its_own_size() -> None:
    request, _ = read_image_to_image(PHOTO, ImageToImageParameters(prompt="a cat"), LIMIT)
    assert request.image is not None
    assert (request.prompt, request.size, request.strength) == ("a cat", (40, 30), 0.75)
    asked = ImageToImageParameters.model_validate(
        {"strength": 0.5, "target_size": {"width": 80, "height": 60}}
    )
    request, _ = read_image_to_image(PHOTO, asked, LIMIT)
    assert (request.size, request.strength) == ((80, 60), 0.5)


def test_a_mask_makes_it_inpainting() -> None:
    mask = text_of(white_box(40, 30, 5, 5, 20, 20))
    request, _ = read_image_to_image(PHOTO, ImageToImageParameters(mask_image=mask), LIMIT)
    assert request.inpainting is not None
    assert (request.image, request.strength, request.size) == (None, None, None)
    asked = ImageToImageParameters(mask_image=mask, strength=0.5)
    assert read_image_to_image(PHOTO, asked, LIMIT)[0].strength == 0.5


def test_the_contracts_fields_are_the_requests() -> None:
    task = AllInOneTask(
        inputs="a cat", batch_size=3, negative_prompt="dog", num_steps=9, unconditional_guidance_scale=3,
        seed=5, sampler="ddim", schedule="range", height=64,
    )  # fmt: skip
    assert read_all_in_one(task) == GenerateRequest(
        "a cat", "dog", 3, 9, 3, 5, "ddim", "range", size=(64, 64)
    )
