"""Which of the possible answers an `Accept` header asks for (RFC 9110, 12.5.1)."""

from collections.abc import Sequence
from typing import NamedTuple


class MediaRange(NamedTuple):
    """One entry of an `Accept` header."""

    kind: str
    subtype: str
    quality: float

    def match(self, media_type: str) -> int:
        """How closely it names this type: 3 exactly, 2 as `image/*`, 1 as `*/*`, 0 not at all."""
        kind, _, subtype = media_type.partition("/")
        if (self.kind, self.subtype) == (kind, subtype):
            return 3
        if (self.kind, self.subtype) == (kind, "*"):
            return 2
        return 1 if (self.kind, self.subtype) == ("*", "*") else 0


def choose(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that the header likes best, the earlier one where it is indifferent; None if it likes none.

    An offer named closely wins over one that only a wildcard covers.
    """
    ranges = [_parse(entry) for entry in accept.split(",") if entry.strip()] or [MediaRange("*", "*", 1)]
    best, best_rank = None, (0.0, 0)
    for offer in offers:
        closeness, quality = max((entry.match(offer), entry.quality) for entry in ranges)
        if closeness and quality and (quality, closeness) > best_rank:
            best, best_rank = offer, (quality, closeness)
    return best


def _parse(entry: str) -> MediaRange:
    media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
    kind, _, subtype = media_type.partition("/")
    qualities = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
    return MediaRange(kind, subtype, _quality(qualities[0]) if qualities else 1)


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
