"""`python -m endpoints bundle` writes a stage's bundle, `python -m endpoints deploy` makes an endpoint of it.

What is asked for stands in environment variables; README.md has them all.
"""

import argparse
import sys

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console

from triptych.selection import SelectionError

from .bundle import write_bundle
from .deploy import DeployError, deploy, preview
from .deployment import Deployment
from .selected import BundleError, Selected
from .settings import Settings


def main() -> None:
    """Exits with 1 and a sentence if it cannot be done. What to set is all that goes to standard output."""
    parser = argparse.ArgumentParser(description="A stage as a Hugging Face Endpoint.")
    parser.add_argument("what", choices=("bundle", "deploy"))
    what = parser.parse_args().what
    try:
        if made := write_bundle(Selected.read()) if what == "bundle" else deployed(Settings()):
            print(made)
    except ValidationError as error:
        sys.exit("\n".join(_sentence(problem) for problem in error.errors()))
    except (BundleError, DeployError, SelectionError) as error:
        sys.exit(str(error))


def deployed(settings: Settings) -> str | None:
    """The variable to set, once the endpoint runs; None in a dry run."""
    selected, console = Selected.read(), Console(stderr=True)
    deployment = Deployment(settings, selected, write_bundle(selected))
    if settings.dry_run:
        preview(deployment, console)
        return None
    url = deploy(deployment, console)
    stage = selected.stage.upper()
    console.print(f"Set this where the gateway runs, and HF_TOKEN or {stage}_TOKEN to a token for it:")
    return f"{stage}_URL={url}"


def _sentence(problem: ErrorDetails) -> str:
    name = "_".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {problem['msg']}" if name else problem["msg"]


if __name__ == "__main__":
    main()
