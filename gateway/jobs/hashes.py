"""Records and what jobs tell as Redis keeps them, and back."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from ..progress import Progress
from .journal import PLACE, Entry, Journal
from .record import Record, Webhook

FLOATS, INTEGERS = ("created", "began", "ended"), ("runs", "size")


def to_fields(record: Record) -> list[str]:
    """Names and values by turns; what is None is left out."""
    webhook = json.dumps(asdict(record.webhook)) if record.webhook else None
    values = {**vars(record), "webhook": webhook, "drawn": int(record.drawn)}
    return [text for name, value in values.items() if value is not None for text in (name, str(value))]


def to_record(fields: list[bytes]) -> Record | None:
    """None of no fields: there is no such job."""
    if not fields:
        return None
    texts = {name: value.decode() for name, value in _pairs(fields)}
    absent = dict.fromkeys(("key", "webhook", "began", "ended", "error", "notified"))
    numbers = {name: float(texts[name]) for name in FLOATS if name in texts}
    counts = {name: int(texts[name]) for name in INTEGERS}
    known = {name: text for name, text in texts.items() if name in Record.__dataclass_fields__}
    webhook = Webhook(**json.loads(texts["webhook"])) if "webhook" in texts else None
    special = {"webhook": webhook, "drawn": texts["drawn"] == "1"}
    return Record(**{**absent, **known, **numbers, **counts, **special})  # type: ignore[arg-type]


def to_text(progress: Progress) -> str:
    previews = [base64.b64encode(file).decode() for file in progress.previews]
    return json.dumps({**vars(progress), "previews": previews})


def to_journal(place: int, moved: int, told: list[bytes]) -> Journal:
    entries = [_entry(kind, value) for kind, value in _pairs(told)]
    return Journal([Entry(moved, PLACE, place), *entries] if place else entries)


def _entry(kind: str, value: bytes) -> Entry:
    number, _, text = value.partition(b" ")
    said = json.loads(text)
    previews = tuple(base64.b64decode(file) for file in said["previews"])
    return Entry(int(number), kind, Progress(**{**said, "previews": previews}))


def _pairs(flat: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    values = iter(flat)
    return ((name.decode(), value) for name, value in zip(values, values, strict=True))
