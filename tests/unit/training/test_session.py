from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from training.session import Checkpoint, Session, cosine

State = dict[str, jnp.ndarray]
START: State = {"value": jnp.ones(3), "steps": jnp.zeros((), jnp.int32)}


def halved(state: State, rate: float) -> tuple[State, jnp.ndarray]:
    value = state["value"] * 0.5
    return {"value": value, "steps": state["steps"] + 1}, jnp.sum(value)


def train(checkpoint: Checkpoint, seconds: float) -> State:
    return Session(checkpoint, seconds / 60, cosine(0.01), warmup=2).run(START, halved)


def test_training_steps_until_its_time_is_spent(tmp_path: Path) -> None:
    state = train(Checkpoint(tmp_path / "run.npz"), 0.5)
    assert int(state["steps"]) > 3
    assert float(state["value"][0]) < 0.2


def test_a_later_run_goes_on_where_the_first_was(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    first, second = train(checkpoint, 0.3), train(checkpoint, 0.6)
    assert int(second["steps"]) > int(first["steps"]) > 0
    assert np.load(checkpoint.path)["seconds"] >= 0.3


def test_a_run_whose_time_is_spent_only_loads(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    first, again = train(checkpoint, 0.3), train(checkpoint, 0.2)
    assert int(again["steps"]) == int(first["steps"])


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    checkpoint.save(START, 7.0)
    (tmp_path / "run.partial.npz").write_bytes(b"half a file")
    assert checkpoint.restore(START)[1] == 7.0


def test_the_log_says_how_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Checkpoint(tmp_path / "run.npz"), 0.3)
    assert '"step": 1, "loss": 1.5' in capsys.readouterr().out
    assert (tmp_path / "run.jsonl").read_text().startswith('{"seconds": ')


def test_the_learning_rate_is_flat_and_then_falls() -> None:
    rate = cosine(1.0, flat=0.4)
    assert rate(0.0) == rate(0.4) == 1.0
    assert rate(0.4) > rate(0.6) > rate(0.9) > rate(1.0) == pytest.approx(0.02)
