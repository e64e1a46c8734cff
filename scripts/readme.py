"""Write the tables of settings into README.md: `python scripts/readme.py`.

With `--check` nothing is written; the exit status is 1 if the tables are not as the settings say.
"""

import re
import sys
from pathlib import Path

import endpoints.settings
from gateway.settings import markdown_table
from host.settings import Settings
from triptych.selection import SETTINGS
from triptych.telemetry import TelemetrySettings

README = Path(__file__).parent.parent / "README.md"


def stage_table() -> str:
    """The stages' variables: the server's, then those that the handlers read."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    fields = Settings.model_fields
    for name in sorted(fields, key=lambda name: name in TelemetrySettings.model_fields):
        field = fields[name]
        none = field.is_required() or name == "handlers_dir" or field.default is None
        rows.append(_row(name.upper(), "" if none else _shown(field.default), field.description or ""))
    return "\n".join([*rows, *(_row(name, *rest) for name, rest in SETTINGS.items())])


def deploy_table() -> str:
    """What `make deploy` reads besides the model's variables."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in endpoints.settings.Settings.model_fields.items():
        default = "" if field.is_required() or field.default is None else _shown(field.default)
        rows.append(_row(name.upper(), default, field.description or ""))
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """The text with the tables between their marks."""
    tables = {
        "gateway settings": markdown_table(),
        "stage settings": stage_table(),
        "deploy settings": deploy_table(),
    }
    for mark, table in tables.items():
        block = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = block.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)  # type: ignore[misc]
    return text


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _row(name: str, default: str, meaning: str) -> str:
    return f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |"


if __name__ == "__main__":
    before = README.read_text()
    after = with_tables(before)
    if "--check" not in sys.argv:
        README.write_text(after)
    elif before != after:
        sys.exit("README.md: the tables of settings are out of date; run python scripts/readme.py")
