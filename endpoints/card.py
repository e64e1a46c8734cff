"""The model card of a bundle: the stage's own, with what is special in an endpoint."""

import re
from pathlib import PurePosixPath

from huggingface_hub import ModelCard

from .selected import SERVICES, Selected

OPEN_RAIL = "creativeml-openrail-m"
CONTEXTS = '"<context>", "<unconditional context>"'
INPUTS = {
    "text_encoder": '"a red apple on a blue background"',
    "diffusion": f"[{CONTEXTS}]",
    "inpainting": f'[{CONTEXTS}, "<image>", "<mask>"]',
    "decoder": '"<latent>"',
    "all_in_one": '"a red apple on a blue background"',
}
USE = """## This endpoint

{what}, set in `triptych/bundled.json`:

{table}

An environment variable of the endpoint that has one of these names, or another that the library knows, goes
before it.

{weights}

```sh
curl https://….endpoints.huggingface.cloud \\
  -H "Authorization: Bearer $HF_TOKEN" -H "Content-Type: application/json" \\
  -d '{{"inputs": {inputs}, "batch_size": 1}}'
```

The `Content-Type` must be exactly that. In Triptych's gateway the endpoint takes the place of the stage:
`{stage}_URL=https://….endpoints.huggingface.cloud`, with a token in `{stage}_TOKEN` or `HF_TOKEN`.

"""
SHIPPED = "The weights are in this repository."
DOWNLOADED = """The weights are not in this repository. The handler downloads them from the Hub when the
endpoint starts, and verifies each file whose sha256 is known; a gated one needs a secret `HF_TOKEN`. They
have their authors' licence: those of Stable Diffusion are under the CreativeML Open RAIL-M licences, which
restrict what they may be used for."""


def write_card(selected: Selected) -> str:
    """README.md, with the metadata that the Hub reads in front."""
    card = ModelCard((SERVICES / selected.stage / "README.md").read_text())
    card.data["inference"] = "endpoints"
    card.data["license"] = card.data["license"] if selected.is_built_in else OPEN_RAIL
    if model := selected.environment.get("MODEL"):
        card.data["base_model"] = "/".join(model.partition("@")[0].split("/")[:2])
    card.text = _here(card.text.replace("## Request and answer", f"{_use(selected)}## Request and answer", 1))
    return str(card)


def _use(selected: Selected) -> str:
    rows = [f"| `{name}` | `{value}` |" for name, value in selected.environment.items()]
    return USE.format(
        what=f"The model is `{selected.model}`",
        table="\n".join(["| variable | value |", "|---|---|", *rows]),
        weights=SHIPPED if selected.is_built_in else DOWNLOADED,
        inputs=INPUTS[selected.stage],
        stage=selected.stage.upper(),
    )


def _here(text: str) -> str:
    """Links to files of the library lead to them; those to other files of the project become plain words."""

    def link(match: re.Match[str]) -> str:
        parts = PurePosixPath(match[2]).parts
        if "triptych" in parts:
            return f"[{match[1]}]({'/'.join(parts[parts.index('triptych') :])})"
        return match[0] if match[2].startswith("http") else match[1]

    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", link, text)
