"""What the training needs on the disk."""

from __future__ import annotations

from training import sprites, vocabulary


def prepare() -> None:
    """Fetch the artwork and CLIP's vocabulary, and draw the sprites in all styles and colours."""
    vocabulary.prepare()
    sprites.prepare()
    sprites.atlas()
