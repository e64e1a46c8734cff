"""When a gateway needs keys."""

from pathlib import Path

import pytest

from gateway.keys.key import line_of
from gateway.settings import Settings, sentences

LINE = line_of("ann", "secret")


def refusal(**settings: object) -> str:
    with pytest.raises(ValueError) as refused:
        Settings.model_validate(settings)
    return " ".join(sentences(refused.value))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_alone_there_may_be_none(host: str) -> None:
    assert not Settings.model_validate({"gateway_host": host}).needs_keys


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.example"])
def test_elsewhere_the_gateway_does_not_start_without_and_says_how_to_make_one(host: str) -> None:
    said = refusal(gateway_host=host)
    assert "GATEWAY_HOST" in said and "python -m gateway.keys new NAME" in said
    assert Settings.model_validate({"gateway_host": host, "gateway_keys": LINE}).needs_keys


@pytest.mark.parametrize("publish", ["127.0.0.1:8000", "[::1]:8000"])
def test_in_a_container_counts_where_it_is_published(publish: str) -> None:
    inside = {"gateway_host": "0.0.0.0", "gateway_publish": publish}
    assert not Settings.model_validate(inside).needs_keys


@pytest.mark.parametrize("publish", ["0.0.0.0:80", "80", "192.168.1.5:8000", ":::80"])
def test_in_a_container_that_is_published_to_others_keys_are_needed(publish: str) -> None:
    assert "GATEWAY_PUBLISH" in refusal(gateway_host="127.0.0.1", gateway_publish=publish)


def test_who_lets_everybody_in_says_so() -> None:
    assert not Settings.model_validate({"gateway_host": "0.0.0.0", "gateway_keys": "none"}).needs_keys
    assert "not both" in refusal(gateway_keys="none", gateway_keys_file="keys")


def test_keys_are_of_the_variable_and_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line_of("bob", "other"))
    settings = Settings.model_validate({"gateway_keys": LINE, "gateway_keys_file": str(file), "key_rate": 7})
    assert [(key.name, key.limits.rate) for key in settings.listed_keys()] == [("ann", 7), ("bob", 7)]


def test_keys_that_were_meant_and_are_not_there_are_missed(tmp_path: Path) -> None:
    assert "GATEWAY_KEYS_FILE must name a readable text file" in refusal(
        gateway_keys_file=str(tmp_path / "none")
    )
    (tmp_path / "empty").write_text("# nobody\n")
    assert "holds none" in refusal(gateway_keys_file=str(tmp_path / "empty"))
    assert "GATEWAY_KEYS, line 1 must be" in refusal(gateway_keys="ann")
