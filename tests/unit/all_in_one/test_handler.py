"""All of Stable Diffusion in one handler."""

import importlib.util
from typing import Any

import pytest

from tests.running import ROOT


def test_no_engine_is_left_behind_by_a_decoder_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is loaded again and again where it lacks what may come."""
    spec = importlib.util.spec_from_file_location("handler", ROOT / "services" / "all_in_one" / "handler.py")
    assert spec and spec.loader
    handler: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(handler)
    engines: list[object] = []

    def lacking(*_: object) -> None:
        raise OSError("no room for it")

    monkeypatch.setenv("SD_VERSION", "tiny")
    monkeypatch.setattr(handler, "PromptEncoder", lambda *_: None)
    monkeypatch.setattr(handler, "Denoiser", lambda *given: engines.append(given))
    monkeypatch.setattr(handler, "LatentDecoder", lacking)
    with pytest.raises(OSError, match="no room"):
        handler.EndpointHandler()
    assert not engines
