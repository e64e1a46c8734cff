"""Parameters as text are read back."""

import pytest

from gateway.infotext import read_infotext


def test_every_setting_is_read() -> None:
    settings = "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, Size: 64x64"
    text = f"a cat,\nsitting\nNegative prompt: dog,\nbird\n{settings}"
    assert read_infotext(text) == {
        "Prompt": "a cat,\nsitting",
        "Negative prompt": "dog,\nbird",
        "Steps": "20",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "Size": "64x64",
    }


def test_a_quoted_value_may_have_commas() -> None:
    settings = read_infotext('a cat\nSteps: 20, Lora hashes: "a: 1, b: 2", Seed: 5')
    assert settings["Lora hashes"] == '"a: 1, b: 2"'
    assert settings["Seed"] == "5"


@pytest.mark.parametrize("text", ["a cat", "a cat\nat 5: noon", "title: a cat"])
def test_a_text_without_settings_is_a_prompt(text: str) -> None:
    assert read_infotext(text) == {"Prompt": text, "Negative prompt": ""}
