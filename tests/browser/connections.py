"""The page Admin > Connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selenium.webdriver.common.keys import Keys

from tests.browser.browser import Browser

_EXTRA = "element_"
"""What the form puts before the name of an extra."""
_TYPED = 100
"""Characters; the form takes a moment for each key that is pressed."""
_SERVICE = "[role=dialog] [id*='content:Extra Fields'] [role=combobox]"


@dataclass(frozen=True)
class Verdict:
    """What Airflow shows after its test button was pressed."""

    title: str
    text: str


class ConnectionForm:
    """The dialog for a new connection."""

    def __init__(self, browser: Browser, conn_type: str) -> None:
        """Open it and choose the type.

        Args:
            browser: A window.
            conn_type: As the form calls it.
        """
        self._browser = browser
        browser.go("/connections")
        browser.click("Add Connection")
        self._choose("[role=dialog] [role=combobox]", conn_type)
        browser.find("[role=dialog] [name=host]")

    def labels(self) -> list[str]:
        """Return all lines of text in it, its labels among them."""
        return self._browser.find("[role=dialog]").text.splitlines()

    def names(self) -> set[str]:
        """Return the names of its fields."""
        fields = self._browser.find_all("[role=dialog] [name]")
        return {name for field in fields if (name := field.get_attribute("name"))}

    def extras(self) -> dict[str, str]:
        """Return the extras that it has fields for, with the types of these."""
        fields = self._browser.find_all(f"[role=dialog] [name^={_EXTRA}]")
        return {
            (field.get_attribute("name") or "").removeprefix(_EXTRA): field.get_attribute("type") or ""
            for field in fields
        }

    def choices(self) -> set[str]:
        """Return what the list of services offers."""
        self._browser.find(_SERVICE).send_keys(Keys.ARROW_DOWN)
        self._browser.find("[role=option]")
        return {option.text for option in self._browser.find_all("[role=option]")}

    def open_extras(self) -> None:
        """Unfold the extra fields."""
        self._browser.click("Extra Fields")
        self._browser.until(self._browser.find(_SERVICE).is_displayed, "the extra fields are unfolded")

    def fill(self, fields: Mapping[str, str]) -> None:
        """Type into fields of text.

        Args:
            fields: By their names in the form.
        """
        for name, value in fields.items():
            field = self._browser.find(f"[role=dialog] [name={name}]")
            self._browser.until(field.is_displayed, f"{name} is shown")
            if len(value) > _TYPED:
                self._browser.paste(field, value)
            else:
                field.send_keys(value)

    def fill_extras(self, extras: Mapping[str, str]) -> None:
        """Type into extra fields; `backend` is chosen from its list, by what this shows."""
        self.open_extras()
        self.fill({f"{_EXTRA}{name}": value for name, value in extras.items() if name != "backend"})
        if backend := extras.get("backend"):
            self._choose(_SERVICE, backend)

    def save(self) -> None:
        """Save the connection."""
        self._browser.click("Save")
        self._browser.see("Connection has been successfully created.")

    def _choose(self, css: str, text: str) -> None:
        box = self._browser.find(css)
        box.send_keys(text)
        self._browser.until(
            lambda: text in [option.text for option in self._browser.find_all("[role=option]")],
            f"{text!r} is offered",
        )
        box.send_keys(Keys.ENTER)


def press_test(browser: Browser, conn_id: str) -> Verdict:
    """Press the test button of a saved connection, and read what comes of it."""
    browser.go("/connections")
    browser.press(f"//tr[td[normalize-space()='{conn_id}']]//button[@aria-label='Test Connection']")

    def said(part: str) -> str:
        # It comes into sight by and by.
        css = f"[data-scope=toast][data-part={part}]"
        return browser.until(lambda: browser.find(css).text, f"Airflow tells a {part}")

    return Verdict(said("title"), said("description"))
