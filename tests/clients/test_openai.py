"""OpenAI's own client for Python, with the gateway in the place of its servers."""

from typing import Any

import openai
import pytest
import requests
from PIL import Image

from tests.clients.pictures import (
    assert_painted_in_the_box,
    distance,
    file_of,
    huge_file,
    is_same,
    noise,
    opened,
    redness,
    text_file,
    transparent_mask,
)
from tests.tiny import PICTURE, SIZE

STEPS: dict[str, Any] = {"steps": 8}


@pytest.fixture(scope="module")
def client(gateway_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway_url}/v1", api_key="none", max_retries=0)


def picture(response: Any, index: int = 0) -> Image.Image:
    return opened(response.data[index].b64_json)


def heart(client: openai.OpenAI, seed: int = 1, **extra: Any) -> Image.Image:
    body = {**STEPS, "seed": seed, **extra}
    return picture(client.images.generate(prompt="a heart", size=SIZE, extra_body=body))


def edited(client: openai.OpenAI, **request: Any) -> Image.Image:
    files = {"image": file_of(noise()), "mask": file_of(transparent_mask())}
    return picture(client.images.edit(**{**files, "prompt": "a red apple", "extra_body": STEPS, **request}))


def test_the_model_is_listed_and_found_by_its_name(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id).id == model.id == "triptych-tiny"
    made = client.images.generate(prompt="a heart", model=model.id, size=SIZE, extra_body=STEPS)
    assert picture(made).size == PICTURE
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-image-1")


@pytest.mark.parametrize("size", [SIZE, "512x512", "1536x1024"])
def test_a_picture_has_the_size_that_was_asked_for(client: openai.OpenAI, size: str) -> None:
    response = client.images.with_raw_response.generate(prompt="a heart", size=size, extra_body=STEPS)
    assert "x".join(map(str, picture(response.parse()).size)) == response.parse().size == size
    assert ("scaled to" in response.headers.get("x-triptych-warning", "")) == (size != SIZE)


def test_a_picture_that_names_no_size_has_the_models_own(client: openai.OpenAI) -> None:
    assert picture(client.images.generate(prompt="a heart", size="auto")).size == PICTURE


def test_the_same_seed_makes_the_same_picture(client: openai.OpenAI) -> None:
    assert is_same(heart(client, seed=5), heart(client, seed=5))
    assert not is_same(heart(client, seed=5), heart(client, seed=6))


def test_several_pictures_have_seeds_of_their_own(client: openai.OpenAI) -> None:
    response = client.images.generate(prompt="a heart", n=10, size=SIZE, extra_body={**STEPS, "seed": 40})
    assert [getattr(one, "seed", None) for one in response.data or []] == list(range(40, 50))
    assert is_same(picture(response, 9), heart(client, seed=49))


def test_a_negative_prompt_drives_a_colour_out(client: openai.OpenAI) -> None:
    plain = sum(redness(heart(client, seed)) for seed in range(4))
    driven = sum(redness(heart(client, seed, negative_prompt="a red background")) for seed in range(4))
    assert driven < plain


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_a_picture_comes_in_the_format_that_was_asked_for(client: openai.OpenAI, kind: Any) -> None:
    response = client.images.generate(prompt="a heart", output_format=kind, extra_body=STEPS)
    assert picture(response).format == kind.upper()
    assert response.output_format == kind


def test_less_quality_is_a_smaller_file(client: openai.OpenAI) -> None:
    small, large = (
        client.images.generate(
            prompt="a heart",
            output_format="jpeg",
            output_compression=quality,
            size="256x256",
            extra_body={**STEPS, "seed": 1},
        )
        for quality in (10, 100)
    )
    assert len(str(small.data)) < len(str(large.data))


def test_an_address_has_the_picture(client: openai.OpenAI) -> None:
    response = client.images.generate(
        prompt="a heart", response_format="url", size=SIZE, extra_body={**STEPS, "seed": 1}
    )
    assert response.data
    got = requests.get(str(response.data[0].url), timeout=30)
    assert got.headers["content-type"] == "image/png"
    assert is_same(opened(got.content), heart(client, seed=1))


def test_an_edit_changes_what_is_transparent_in_the_mask_alone(client: openai.OpenAI) -> None:
    assert_painted_in_the_box(edited(client))


def test_a_picture_of_a_list_is_edited_too(client: openai.OpenAI) -> None:
    assert_painted_in_the_box(edited(client, image=[file_of(noise())]))


def test_without_a_mask_the_pictures_own_transparency_is_one(client: openai.OpenAI) -> None:
    image = noise()
    image.putalpha(transparent_mask().getchannel("A"))
    assert_painted_in_the_box(edited(client, image=file_of(image), mask=openai.omit))


def test_an_edit_may_be_of_another_size_than_the_picture(client: openai.OpenAI) -> None:
    assert edited(client, size="256x256").size == (256, 256)


def test_a_stream_ends_with_the_picture(client: openai.OpenAI) -> None:
    events = list(
        client.images.generate(
            prompt="a heart",
            size=SIZE,
            stream=True,
            partial_images=2,
            extra_body={**STEPS, "seed": 1},
        )
    )
    assert events[-1].type == "image_generation.completed"
    assert is_same(opened(events[-1].b64_json), heart(client, seed=1))


def test_a_stream_shows_the_picture_forming(client: openai.OpenAI) -> None:
    *partial, last = client.images.generate(
        prompt="a heart", size="256x256", stream=True, partial_images=3, extra_body={"steps": 40, "seed": 1}
    )
    assert {event.type for event in partial} == {"image_generation.partial_image"}
    assert [event.partial_image_index for event in partial] == [0, 1, 2]  # type: ignore[union-attr]
    shown = [opened(event.b64_json) for event in partial]
    assert {image.size for image in shown} == {(256, 256)}
    left = [distance(image, opened(last.b64_json)) for image in shown]
    assert left == sorted(left, reverse=True)


def test_without_a_mask_the_whole_picture_is_made_anew_by_so_much(client: openai.OpenAI) -> None:
    image = heart(client, seed=3)
    whole = {"image": file_of(image), "mask": openai.omit, "prompt": "a cat"}
    little, much = (
        edited(client, **whole, extra_body={"steps": 13, "seed": 1, "strength": strength})
        for strength in (0.3, 0.9)
    )
    assert distance(little, image) < distance(much, image)


def test_a_whole_picture_can_be_watched_as_it_is_made_anew(client: openai.OpenAI) -> None:
    *partial, last = client.images.edit(
        image=file_of(noise()), prompt="a heart", stream=True, partial_images=1, extra_body={"steps": 40}
    )
    assert [event.type for event in partial] == ["image_edit.partial_image"]
    assert {opened(event.b64_json).size for event in (*partial, last)} == {(96, 80)}


def test_an_edit_can_be_streamed(client: openai.OpenAI) -> None:
    events = list(
        client.images.edit(
            image=file_of(noise()),
            mask=file_of(transparent_mask()),
            prompt="a red apple",
            stream=True,
            extra_body=STEPS,
        )
    )
    assert events[-1].type == "image_edit.completed"
    assert_painted_in_the_box(opened(events[-1].b64_json))


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        ({"n": 1000}, "n", "n must be a whole number from 1 to 10; got 1000."),
        ({"model": "gpt-image-1"}, "model", "model must be triptych-tiny; got 'gpt-image-1'."),
        ({"size": "40000x40000"}, "size", "size must be"),
        ({"extra_body": {"steps": 100_000}}, "steps", "steps must be 1 to"),
        ({"extra_body": {"sampler": "nonsense"}}, "sampler", "sampler must be one of DDIM"),
        ({"extra_body": {"sed": 1}}, "sed", "Did you mean seed?"),
        ({"n": 1000, "stream": True}, "n", "n must be a whole number from 1 to 10; got 1000."),
        ({"extra_body": {"steps": 100_000}, "stream": True}, "steps", "steps must be 1 to"),
    ],
)
def test_what_cannot_be_made_is_an_error_with_the_field(
    client: openai.OpenAI, request_: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.images.generate(prompt="a heart", **request_)
    assert refused.value.param == field
    assert refused.value.type == "invalid_request_error"
    assert said in refused.value.message
    assert refused.value.request_id


@pytest.mark.parametrize(
    ("files", "field", "said"),
    [
        ({"mask": file_of(transparent_mask(50, 50))}, "mask", "mask must be of the image's size, 96x80"),
        ({"mask": file_of(noise())}, "mask", "mask must have an alpha channel"),
        ({"image": text_file()}, "image", "image must be a PNG, JPEG or WebP file"),
        ({"image": huge_file()}, "image", "image must be of at most"),
        ({"mask": huge_file()}, "mask", "mask must be of at most"),
        ({"image": [file_of(noise())] * 2}, "image", "image must be given once"),
    ],
    ids=["mask of another size", "mask without alpha", "text", "huge image", "huge mask", "two images"],
)
def test_files_that_are_of_no_use_are_errors(
    client: openai.OpenAI, files: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=said) as refused:
        edited(client, **files)
    assert refused.value.param == field


def test_a_client_that_leaves_a_stream_harms_nobody(client: openai.OpenAI) -> None:
    impatient = client.with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        list(impatient.images.generate(prompt="a heart", n=4, stream=True, extra_body={"steps": 100}))
    assert heart(client).size == PICTURE
