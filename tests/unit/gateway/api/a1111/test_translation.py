"""From AUTOMATIC1111's bodies to requests."""

from typing import Any

import pytest
from fastapi import HTTPException

from gateway.api.a1111.schemas import HiresTxt2Img, Img2Img
from gateway.api.a1111.translation import read_request
from gateway.errors import InvalidRequest
from gateway.requests import GenerateRequest


def read(**fields: Any) -> tuple[GenerateRequest, list[str]]:
    return read_request(HiresTxt2Img.model_validate(fields), None)


def test_the_defaults_are_the_web_uis() -> None:
    assert read() == (
        GenerateRequest("", steps=50, guidance_scale=7.0, sampler="euler", size=(512, 512)),
        [],
    )


def test_what_is_said_is_asked_for() -> None:
    request, warnings = read(
        prompt="a red apple",
        negative_prompt="green",
        seed=5,
        sampler_name="DPM++ 2M",
        scheduler="Karras",
        batch_size=2,
        n_iter=3,
        steps=9,
        cfg_scale=3,
        width=256,
        height=128,
    )
    assert request == GenerateRequest(
        "a red apple",
        negative_prompt="green",
        num_images=6,
        steps=9,
        guidance_scale=3,
        seed=5,
        sampler="dpmpp_2m",
        schedule="karras",
        size=(256, 128),
    )
    assert warnings == []


def test_null_is_the_default_and_minus_one_a_random_seed() -> None:
    assert read(seed=None, steps=None, sampler_name=None, override_settings=None)[0].steps == 50
    assert read(seed=-1)[0].seed is None
    assert read(seed=0)[0].seed == 0


def test_unknown_fields_are_kept_for_the_echo() -> None:
    body = HiresTxt2Img.model_validate({"eta": 1, "s_churn": 0})
    assert body.model_dump()["eta"] == 1


def test_scripts_that_were_given_something_to_do_are_named() -> None:
    assert read(alwayson_scripts={"ControlNet": {"args": []}})[1] == []
    assert read(alwayson_scripts={"ControlNet": {"args": [{"enabled": True}]}})[1] == [
        "These scripts do not run here: ControlNet."
    ]
    with pytest.raises(InvalidRequest, match="no script runs here"):
        read(script_name="x/y/z plot")


def test_a_sampler_that_nothing_is_near_to_is_not_found() -> None:
    with pytest.raises(HTTPException, match="Sampler not found") as refused:
        read(sampler_name="nonsense")
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (100, 50)),
        ({"enable_hr": False, "hr_scale": 3}, (100, 50)),
        ({"enable_hr": True}, (200, 100)),
        ({"enable_hr": True, "hr_scale": 1.5}, (150, 75)),
        ({"enable_hr": True, "hr_resize_x": 400}, (400, 200)),
        ({"enable_hr": True, "hr_resize_y": 200}, (400, 200)),
        ({"enable_hr": True, "hr_resize_x": 300, "hr_resize_y": 300}, (300, 300)),
    ],
)
def test_the_second_pass_says_how_large_the_answer_is(fields: dict[str, Any], size: tuple[int, int]) -> None:
    assert HiresTxt2Img.model_validate({"width": 100, "height": 50, **fields}).final_size == size


def test_a_picture_is_made_anew_as_far_as_by_default() -> None:
    assert Img2Img().denoising_strength == 0.75


def test_so_many_pictures_are_made_and_no_more() -> None:
    assert read(batch_size=10, n_iter=10)[0].num_images == 100
    with pytest.raises(InvalidRequest, match="batch_size × n_iter is at most 100; got 110"):
        read(batch_size=11, n_iter=10)
