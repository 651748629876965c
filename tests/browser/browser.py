"""A Chromium that tests look through; it asks nobody but the pages' own server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")
WHAT_TO_INSTALL = "no Chromium: install Debian's packages chromium and chromium-driver"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

_FLAGS = [
    "--headless=new",
    # Chromium's sandbox refuses root, and containers often have no shared memory to speak of.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Nothing is asked but the pages.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE = 60
# React looks at the event, and forgets a value that was set past the browser's own way.
_PASTE = """
const [field, text] = arguments;
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
field.dispatchEvent(new Event("input", {bubbles: true}));
"""
# A page of React replaces its elements while they are looked at.
_NOT_YET = (NoSuchElementException, StaleElementReferenceException, ElementClickInterceptedException)


class Browser:
    """One window."""

    def __init__(self, url: str, *, width: int = 1280, height: int = 900, scale: float = 1) -> None:
        """Remember what to open; nothing runs yet.

        Args:
            url: Of the server, without a slash at its end.
            width: Of the window, in CSS pixels.
            height: The same.
            scale: Pixels of a screenshot for each CSS pixel.
        """
        self._url = url
        self._size = (width, height)
        self._scale = scale

    def __enter__(self) -> Self:
        """Open the window.

        Raises:
            RuntimeError: There is no Chromium.
        """
        if CHROMIUM is None or CHROMEDRIVER is None:
            raise RuntimeError(WHAT_TO_INSTALL)
        self._profile = tempfile.TemporaryDirectory(prefix="genai-batch-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        size = ",".join(map(str, self._size))
        for flag in (
            *_FLAGS,
            f"--window-size={size}",
            f"--force-device-scale-factor={self._scale}",
            f"--user-data-dir={self._profile.name}",
        ):
            options.add_argument(flag)
        # With the driver's path Selenium downloads none.
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; what it shows stays as a picture if there was trouble."""
        if error is not None:
            self.screenshot("trouble")
        self.driver.quit()
        self._profile.cleanup()

    def go(self, path: str) -> None:
        """Open a page of the server."""
        self.driver.get(self._url + path)

    def until(self, look: Callable[[], T], what: str, timeout: float = _PATIENCE) -> T:
        """Look until there is something to see, and return it.

        Raises:
            AssertionError: There never was; the message has the page's text.
        """
        wait = WebDriverWait(self.driver, timeout, poll_frequency=0.1, ignored_exceptions=_NOT_YET)
        try:
            return wait.until(lambda _: look())
        except TimeoutException:
            message = f"after {timeout:g} s it was not so that {what}; the page says:\n{self.text[:3000]}"
            raise AssertionError(message) from None

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def see(self, text: str) -> None:
        """Wait until a text can be read on the page."""
        self.until(lambda: text in self.text, f"the page says {text!r}")

    def find(self, css: str) -> WebElement:
        """Wait for an element."""
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, css), f"there is {css}")

    def find_all(self, css: str) -> list[WebElement]:
        """Return the elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def click(self, name: str, kind: str = "button") -> None:
        """Press what has this text or, as icons have, this label; wait for it first."""
        self.press(f"//{kind}[normalize-space()='{name}' or @aria-label='{name}']")

    def press(self, path: str) -> None:
        """Press what is at an XPath; wait for it first."""

        def pressed() -> bool:
            self.driver.find_element(By.XPATH, path).click()
            return True

        self.until(pressed, f"{path} can be pressed")

    def paste(self, field: WebElement, text: str) -> None:
        """Put a text into a field at once."""
        self.driver.execute_script(_PASTE, field, text)

    def link(self, name: str) -> str:
        """Wait for a link and return where it leads."""
        path = f"//a[normalize-space()='{name}']"
        found = self.until(lambda: self.driver.find_element(By.XPATH, path), f"there is a link {name!r}")
        return found.get_attribute("href") or ""

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Look into the page's frame for a while; wait for it first."""
        self.driver.switch_to.frame(self.find("iframe"))
        yield
        self.driver.switch_to.default_content()

    @contextmanager
    def narrow(self, width: int) -> Iterator[None]:
        """Show pages as on a device of so many CSS pixels for a while."""
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @contextmanager
    def dark(self) -> Iterator[None]:
        """Show pages as a person wants them who has chosen dark ones, for a while."""
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def width_of_content(self) -> int:
        """Return how many CSS pixels wide the page is, also what is beyond the window."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth"))

    def screenshot(self, name: str) -> Path:
        """Save what is to be seen below `SCREENSHOTS`."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path
