from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import overhead, page
from benchmarks.overhead import STAGES
from benchmarks.stand_in import SHAPES, EndpointHandler
from triptych.wire import Tensors, encode_tensor

CALL = {"seconds_waiting": 0.5, "seconds_computing": 0.25, "bytes_sent": 100, "bytes_received": 900}
ANSWER = {"stages": [CALL, CALL]}


def test_overhead_is_what_is_neither_in_a_queue_nor_in_a_model() -> None:
    assert overhead.overhead(2.0, ANSWER) == pytest.approx(0.5)
    assert overhead.overhead(2.0, ANSWER, given=0.125) == pytest.approx(0.75)
    assert overhead.travelled(ANSWER) == 2000


def test_a_table_has_medians_and_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- overhead: begin -->\n\n<!-- overhead: end -->\n")
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    record = {"seconds": [0.01, 0.05, 0.02], "bytes": [1000, 1000, 1000]}
    overhead.write({"full/base64/1": record, "tiny/base64/1": record}, step_seconds=0.5)
    rows = [line for line in readme.read_text().splitlines() if line.startswith("| ")]
    assert "| built-in model, 128 × 128 | base64 | 1 | 20.0 | 47.0 | 1000 | – |" in rows
    assert "| stand-ins, 512 × 512 | base64 | 1 | 20.0 | 47.0 | 1000 | 0.16% |" in rows
    assert sum("not measured" in row for row in rows) == 6


@pytest.mark.parametrize("stage", STAGES)
def test_a_stand_in_gives_tensors_of_the_full_shapes(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_SECONDS", "0")
    handler = EndpointHandler(f"/handlers/{stage}")
    shapes = handler.info()["shapes"]
    inputs: dict[str, Any] = {
        "text_encoder": "a red apple",
        "diffusion": Tensors(dict.fromkeys(("context", "unconditional_context"), np.zeros((1, 77, 768)))),
        "decoder": Tensors(latent=np.zeros((1, 64, 64, 4))),
    }
    if isinstance(inputs[stage], Tensors):
        inputs[stage] = Tensors({name: array.astype(np.float32) for name, array in inputs[stage].items()})
    made = handler.tensors({"inputs": inputs[stage]})
    assert {name: tensor.shape for name, tensor in made.items()} == {
        name: (1, *SHAPES[name]) for name in made
    }
    assert all(list(SHAPES[name]) == shapes[name] for name in made)
    text = handler({"inputs": inputs[stage]})
    first = next(iter(made.values()))
    assert encode_tensor(first) in (text if isinstance(text, str) else text.values())
