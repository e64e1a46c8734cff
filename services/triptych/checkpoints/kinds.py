"""What a file of weights is, by the names in it; and the error for models that are not served."""

from __future__ import annotations

from collections.abc import Iterable

from .source import CheckpointError

SERVED = "Stable Diffusion 1.x and 2.x are served"
MARKS = {
    "Stable Diffusion XL": ("conditioner.embedders.", "add_embedding.", "model.diffusion_model.label_emb."),
    "Stable Diffusion 3": (
        "model.diffusion_model.joint_blocks.",
        "joint_blocks.",
        "model.diffusion_model.context_embedder.",
    ),
    "Flux": ("double_blocks.", "model.diffusion_model.double_blocks.", "single_transformer_blocks."),
    "a model for video": ("model.diffusion_model.input_blocks.1.0.time_stack.", "motion_modules."),
    "a ControlNet": ("control_model.", "controlnet_cond_embedding.", "input_hint_block."),
    "a model distilled with guidance embedded (LCM)": ("time_embedding.cond_proj.",),
    "a textual inversion": ("emb_params", "string_to_param", "clip_g"),
}
"""Models of other kinds, by how a name in their files begins."""
LORA_MARKS = (
    ".lora_down.",
    ".lora_up.",
    ".lora_A.",
    ".lora_B.",
    "_lora.down.",
    ".lora.down.",
    ".hada_w1_a",
    ".lokr_w1",
)
HOLDS = {
    "a whole model": ("model.diffusion_model.",),
    "a text encoder": ("text_model.encoder.", "cond_stage_model.", "encoder.layers."),
    "a VAE": ("first_stage_model.", "decoder.up", "encoder.down", "post_quant_conv."),
    "a UNet": ("down_blocks.", "input_blocks."),
}


def refuse_other_models(names: Iterable[str], title: str) -> None:
    """Raise CheckpointError if the names are those of a model that is not served."""
    names = list(names)
    if any(mark in name for name in names for mark in LORA_MARKS):
        raise CheckpointError(f"{title} seems to be a LoRA, not a model: name it in LORA")
    for kind, marks in MARKS.items():
        if any(name.startswith(marks) for name in names):
            raise CheckpointError(f"{title} seems to be {kind}; {SERVED}")


def what_it_holds(names: Iterable[str]) -> str:
    """In words, what the tensors of these names are."""
    names = list(names)
    for kind, marks in HOLDS.items():
        if any(name.startswith(marks) for name in names):
            return kind
    return f"{len(names)} tensors" + (f", the first of them {min(names)}" if names else "")
