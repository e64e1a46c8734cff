"""What our stages understand beyond the contract, which plain endpoints ignore."""

from typing import Any

import pytest
import requests

from tests.conftest import StageUrl

DENOISING = {
    *("seed", "noise", "sampler", "schedule", "guidance_interval", "deep_interval", "client", "resume"),
    *("events", "job_id", "on_disconnect"),
}
PROMPT = {"inputs": "a red apple on a white background", "batch_size": 1}


def ask(url: str, **payload: Any) -> Any:
    response = requests.post(url, json=payload, timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


def contexts(stage_url: StageUrl, **extra: Any) -> list[str]:
    answer = ask(stage_url("text_encoder"), **PROMPT, **extra)
    return [answer["context_b64str"], answer["unconditional_context_b64str"]]


def latent(stage_url: StageUrl, inputs: list[str], **extra: Any) -> str:
    answer = ask(stage_url("diffusion"), **{"inputs": inputs, "batch_size": 1, "num_steps": 4, **extra})
    assert isinstance(answer, str)
    return answer


def test_a_seed_makes_the_same_latent_again_and_another_seed_another(stage_url: StageUrl) -> None:
    inputs = contexts(stage_url)
    first = latent(stage_url, inputs, seed=11)
    assert latent(stage_url, inputs, seed=11) == first
    assert latent(stage_url, inputs, seed=12) != first


def test_without_a_seed_every_latent_is_another(stage_url: StageUrl) -> None:
    inputs = contexts(stage_url)
    assert latent(stage_url, inputs) != latent(stage_url, inputs)


def test_an_image_is_the_same_alone_and_in_a_batch(stage_url: StageUrl) -> None:
    url = stage_url("all_in_one")
    request = {**PROMPT, "num_steps": 4}
    both = ask(url, **{**request, "batch_size": 2}, seed=[21, 22])
    alone = ask(url, **request, seed=22)
    assert both.rstrip("=").endswith(alone.rstrip("=")[-1000:])


def test_a_negative_prompt_changes_the_unconditional_context_only(stage_url: StageUrl) -> None:
    plain, negative = contexts(stage_url), contexts(stage_url, negative_prompt="blurry, red")
    assert plain[0] == negative[0]
    assert plain[1] != negative[1]


def test_schedules_differ(stage_url: StageUrl) -> None:
    inputs = contexts(stage_url)
    ours = latent(stage_url, inputs, seed=1, schedule="keras-cv")
    assert latent(stage_url, inputs, seed=1, schedule="range") != ours


def test_samplers_differ_but_for_one_with_two_names(stage_url: StageUrl) -> None:
    inputs = contexts(stage_url)
    samplers = requests.get(f"{stage_url('diffusion')}/info", timeout=5).json()["samplers"]
    assert samplers == ["ddim", "euler", "euler_ancestral", "dpmpp_2m", "heun", "lcm"]
    made = {sampler: latent(stage_url, inputs, seed=1, sampler=sampler) for sampler in samplers}
    assert made["ddim"] == made["euler"] == latent(stage_url, inputs, seed=1)
    assert len(set(made.values())) == len(samplers) - 1


def test_a_denoising_stage_names_its_noise_and_inpainting_what_repeats_steps(stage_url: StageUrl) -> None:
    info = requests.get(f"{stage_url('inpainting')}/info", timeout=5).json()
    assert info["noise"] == "pcg64-v1"
    assert info["resampling"] == [sampler for sampler in info["samplers"] if sampler != "dpmpp_2m"]


def test_guidance_of_zero_ignores_the_prompt(stage_url: StageUrl) -> None:
    context, unconditional = contexts(stage_url)
    with_prompt = latent(stage_url, [context, unconditional], seed=1, unconditional_guidance_scale=0)
    without = latent(stage_url, [unconditional, unconditional], seed=1, unconditional_guidance_scale=1)
    assert with_prompt == without


@pytest.mark.parametrize(
    ("stage", "shapes", "extras"),
    [
        ("text_encoder", {"context", "unconditional_context"}, {"negative_prompt"}),
        ("diffusion", {"context", "unconditional_context", "latent"}, {*DENOISING, "strength"}),
        (
            "inpainting",
            {"context", "unconditional_context", "image", "mask", "latent"},
            {*DENOISING, "strength", "soft_mask"},
        ),
        ("decoder", {"latent", "image"}, {"task", "image_dtype"}),
    ],
)
def test_a_stage_says_what_it_is(stage_url: StageUrl, stage: str, shapes: set[str], extras: set[str]) -> None:
    info = requests.get(f"{stage_url(stage)}/info", timeout=5).json()
    assert (info["stage"], info["model"]["variant"]) == (stage, "tiny")
    assert len(info["model"]["hash"]) == 10
    assert set(info["shapes"]) == set(info["dtypes"]) == shapes
    assert set(info["extras"]) == extras
    assert info["limits"]["batch_size"] >= 1
    assert {"triptych", "keras", "backend", "python"} <= set(info["versions"])
