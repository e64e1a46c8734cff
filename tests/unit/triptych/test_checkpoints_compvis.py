"""CompVis' names, against the tests' own table of them."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.checkpoint_files import Array, compvis_names
from triptych.checkpoints.compvis import diffusers_unet, diffusers_vae, transformers_text

NOTHING = np.zeros(0, np.float32)
PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.",
}
RENAMINGS = {"unet": diffusers_unet, "vae": diffusers_vae, "text_encoder": transformers_text}


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("component", RENAMINGS)
def test_every_name_becomes_that_of_diffusers(component: str, version: str) -> None:
    for stored, expected in compvis_names(version, inpainting=False, parts=[component]).items():
        renamed = RENAMINGS[component]({stored.removeprefix(PREFIXES[component]): NOTHING})
        assert list(renamed) == expected


@pytest.mark.parametrize("shape", [(6, 2), (6,)])
def test_openclips_joint_projection_is_query_key_and_value(shape: tuple[int, ...]) -> None:
    joint = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kind = "weight" if len(shape) > 1 else "bias"
    found = transformers_text({f"model.transformer.resblocks.3.attn.in_proj_{kind}": joint})
    for index, projection in enumerate(("q_proj", "k_proj", "v_proj")):
        third = found[f"text_model.encoder.layers.3.self_attn.{projection}.{kind}"]
        np.testing.assert_array_equal(third, joint[2 * index : 2 * index + 2])
        assert np.shares_memory(third, joint)


@pytest.mark.parametrize("joint", [np.zeros((), np.float32), np.zeros(4, np.float32)], ids=["scalar", "four"])
def test_a_projection_that_is_not_three_keeps_its_name(joint: Array) -> None:
    assert len(transformers_text({"model.transformer.resblocks.3.attn.in_proj_bias": joint})) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")],
)
def test_the_attention_of_older_diffusers_has_its_own_names(old: str, new: str) -> None:
    attention = "decoder.mid_block.attentions.0"
    assert list(diffusers_vae({f"{attention}.{old}.weight": NOTHING})) == [f"{attention}.{new}.weight"]


@pytest.mark.parametrize("rename", RENAMINGS.values())
def test_a_name_that_is_not_known_stays(rename: Callable[[dict[str, Array]], dict[str, Array]]) -> None:
    assert list(rename({"something.else": NOTHING})) == ["something.else"]
