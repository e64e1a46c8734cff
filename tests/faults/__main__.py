"""Goes through all faults, or those that are named, and writes docs/operations/faults.md."""

import argparse
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path

from tests.faults.cases import cases
from tests.faults.page import Outcome, write
from tests.faults.stack import STAGES, Stack, whole_stack
from tests.faults.trial import Case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of --list; all without, and then the page is written")
    parser.add_argument("--list", action="store_true", help="name the faults, and stop")
    options = parser.parse_args()
    known = list(cases())
    if options.list:
        print(*(case.name for case in known), sep="\n")
        return
    chosen = [case for case in known if not options.names or case.name in options.names]
    rows = []
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        stack = running.enter_context(whole_stack(folder, _nobody, *STAGES))
        for position, case in enumerate(chosen, 1):
            print(f"[{position}/{len(chosen)}] {case.name}", flush=True)
            rows.append(_outcome(case, stack))
            print(f"    {rows[-1].text}", flush=True)
            if not options.names:
                write(rows)  # each time: whoever ends it has what was found so far
    if any(not row.is_well for row in rows):
        sys.exit("Not all is well: see the rows above.")


def _outcome(case: Case, stack: Stack) -> Outcome:
    if case.needs:
        return Outcome(case.name, None, f"not tried: needs {case.needs}")
    try:
        return Outcome(case.name, case.run(stack))
    except Exception as error:
        traceback.print_exc()
        return Outcome(case.name, None, f"went wrong: {error}")


def _nobody(stage: str) -> str:
    raise LookupError(f"every stage is this stack's own; {stage} is not")


if __name__ == "__main__":
    main()
