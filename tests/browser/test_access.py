"""The page can be used by everyone, on every screen, and asks no other host."""

from typing import Any

import pytest
from selenium.webdriver.remote.webelement import WebElement

from tests.browser.conftest import OpenStudio
from tests.browser.studio import Studio
from tests.browser.test_input import begin

CONTROLS = "button, a, input, select, textarea, summary, [tabindex], [role=progressbar]"
LARGE = 24
FAINT = """
    const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const behind = (element) => {
      for (let one = element; one; one = one.parentElement) {
        const colour = numbers(getComputedStyle(one).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
        if (colour[3] > 0.5) throw new Error("half transparent");
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
      const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      const unread = element.closest(":disabled, .unseen, option, svg, .skip");
      if (!said || unread || !element.checkVisibility()) continue;
      const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${element.outerHTML}`);
    }
    return found;
"""


def nameless(studio: Studio) -> list[str]:
    shown = [one for one in studio.all(CONTROLS) if one.is_displayed()]
    assert len(shown) > 15
    return [one.get_attribute("outerHTML") or "" for one in shown if is_nameless(one)]


def is_nameless(control: WebElement) -> bool:
    """One that is hidden by now, as the page goes on, has no name either."""
    return not control.accessible_name.strip() and control.is_displayed()


def test_every_control_has_a_name(studio: Studio) -> None:
    assert nameless(studio) == []
    begin(studio)
    assert nameless(studio) == []
    studio.mode("Text to image")
    studio.generate("a cat", steps=100)
    studio.until(lambda: studio.find("#progress").is_displayed(), "progress")
    assert nameless(studio) == []
    studio.made()
    assert nameless(studio) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_words_are_read_easily(studio: Studio, theme: str) -> None:
    while studio.find("#theme").text != theme:
        studio.click(studio.find("#theme"))
    assert studio.run(FAINT) == []
    begin(studio)
    studio.generate("a cat")
    assert studio.run(FAINT) == []
    studio.mode("Text to image")
    studio.generate("a cat", steps=2)
    studio.made()
    assert studio.run(FAINT) == []


def test_a_theme_is_kept(studio: Studio) -> None:
    paper = studio.run("return getComputedStyle(document.body).backgroundColor")
    while studio.find("#theme").text != "Dark":
        studio.click(studio.find("#theme"))
    assert studio.run("return getComputedStyle(document.body).backgroundColor") != paper
    studio.open()
    assert studio.find("#theme").accessible_name == "Colours: Dark"


def test_the_page_is_as_wide_as_a_phone(open_studio: OpenStudio) -> None:
    studio = open_studio(size=(390, 844))
    widths: Any = "return [document.documentElement.scrollWidth, innerWidth]"
    assert studio.run(widths) == [390, 390]
    studio.generate("a red apple and a very long word: " + "o" * 60)
    studio.made()
    assert studio.run(widths) == [390, 390]
    assert studio.run("return document.querySelector('#generate').getBoundingClientRect().bottom") <= 844
    begin(studio)
    assert studio.run(widths) == [390, 390]
    studio.paint((0.3, 0.5), (0.7, 0.5))
    assert studio.mask().any()


def test_the_keys_are_listed(studio: Studio) -> None:
    studio.press("Keys")
    dialog = studio.find("#keys")
    assert dialog.is_displayed()
    assert "Cancel what is being made" in dialog.text
    studio.press("Close")
    assert not dialog.is_displayed()


def test_no_other_host_is_asked(studio: Studio) -> None:
    studio.generate("a cat")
    studio.made()
    names: list[str] = studio.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert len(names) > 20
    assert [name for name in names if not name.startswith((studio.url, "blob:"))] == []


def test_the_browser_forbids_other_hosts_and_scripts_within_the_page(studio: Studio) -> None:
    studio.driver.set_script_timeout(10)
    told = studio.driver.execute_async_script(
        """
        const done = arguments[0];
        document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
        fetch("https://example.invalid/").catch(() => {});
        """
    )
    assert told == "connect-src"
    studio.run("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=\"window.ran = true\">')")
    assert studio.run("return new Promise((done) => setTimeout(() => done(window.ran ?? null), 300))") is None
