"""One target, by Atheris: `python -m tests.fuzz.guided TARGET` and libFuzzer's own options."""

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "host", "triptych", "PIL"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
