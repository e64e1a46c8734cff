"""Where the training reads and writes. All but the asset is ignored by git."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent
DATA = ROOT / "data"
RUNS = ROOT / "runs"
ASSET = ROOT.parent / "services" / "triptych" / "assets" / "tiny.safetensors"
