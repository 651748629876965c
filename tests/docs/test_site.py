"""The site is built without a warning, stands alone, and hangs together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from airflow_provider_genai_batch import __version__, client, emulator, exceptions, testing
from airflow_provider_genai_batch.models import BatchJob, Manifest, ResultRow
from airflow_provider_genai_batch.operators import genai_batch
from tests.browser.browser import CHROMEDRIVER, CHROMIUM, WHAT_TO_INSTALL, Browser
from tests.docs.pages import ROOT, all_pages
from tests.docs.site import SitePage, read_site

NAMES = (
    *genai_batch.__all__,
    *client.__all__,
    *testing.__all__,
    *emulator.__all__,
    *(
        name
        for name, value in vars(exceptions).items()
        if getattr(value, "__module__", "") == exceptions.__name__
    ),
    *(noun.__name__ for noun in (BatchJob, Manifest, ResultRow)),
    *(
        "GenAIBatchSensor",
        "GenAIBatchTrigger",
        "GenAIBatchJobsTrigger",
        "GenAIBatchHook",
        "genai_batch_task",
        "read_rows",
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site by the Makefile's own command."""
    (command,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-m sphinx" in line]
    words = command.split()[1:]
    assert {"-W", "build/site"} <= {*words}
    built = tmp_path_factory.mktemp("site")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    ran = subprocess.run(
        [sys.executable, *words[:-1], "-d", str(tmp_path_factory.mktemp("doctrees")), str(built)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stderr
    return built


@pytest.fixture(scope="module")
def site(folder: Path) -> dict[Path, SitePage]:
    return read_site(folder)


def test_every_link_leads_to_a_page_and_an_anchor_that_are_there(site: dict[Path, SitePage]) -> None:
    broken = []
    for path, page in site.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme in ("https", "http", "data"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = parts.fragment if target in site else ""
            if not target.is_file() or (anchor and unquote(anchor) not in site[target].anchors):
                broken.append(f"{path.name}: {link}")
    assert not broken


def test_nothing_is_fetched_from_elsewhere(site: dict[Path, SitePage]) -> None:
    for path, page in site.items():
        assert not [address for address in page.loaded if urlsplit(address).netloc], path.name


def test_every_page_is_in_the_navigation(folder: Path, site: dict[Path, SitePage]) -> None:
    index = site[folder / "docs" / "index.html"]
    reached = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links}
    sources = [page.name for page in all_pages()]
    sources += [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.rst")]
    wanted = {folder / Path(name).with_suffix(".html") for name in sources}
    assert wanted - {index.path} <= reached


def test_the_sites_own_address_leads_to_the_index(folder: Path, site: dict[Path, SitePage]) -> None:
    assert site[folder / "index.html"].links == ["docs/index.html"]


def test_what_users_import_is_in_the_reference_made_of_the_code(
    folder: Path, site: dict[Path, SitePage]
) -> None:
    pages = [page for path, page in site.items() if path.parent == folder / "docs" / "reference" / "api"]
    described = {anchor.rpartition(".")[2] for page in pages for anchor in page.anchors}
    assert {*NAMES} <= described


def test_the_search_finds_how_tos_before_attributes(folder: Path) -> None:
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip(WHAT_TO_INSTALL)
    with Browser(folder.as_uri()) as browser:
        for word in ("results_uri", "max_failed_rows", "output_type"):
            browser.driver.get(f"{folder.as_uri()}/search.html?q={word}")
            WebDriverWait(browser.driver, 120).until(
                lambda driver: "finished" in driver.find_element(By.ID, "search-results").text
            )
            found = [
                unquote(urlsplit(link.get_attribute("href")).path)
                for link in browser.driver.find_elements(By.CSS_SELECTOR, "ul.search li > a")
            ]
            kinds = ["/how-to/" in link or "/tutorial" in link for link in found]
            assert kinds[0], found[:5]
            assert any("/reference/api/" in link for link in found[10:]), found


def test_every_page_says_which_version_it_is_of(folder: Path) -> None:
    assert f"{__version__}</title>" in (folder / "docs" / "index.html").read_text()


def published(folder: Path, place: Path, version: str) -> str:
    command = [sys.executable, str(ROOT / "docs" / "publish.py"), str(folder), str(place), version]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stderr


@pytest.fixture(scope="module")
def releases(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish four releases side by side; the oldest has only one of the pages."""
    place = tmp_path_factory.mktemp("releases")
    first = place / "first"
    (first / "docs").mkdir(parents=True)
    shutil.copy(folder / "docs" / "index.html", first / "docs")
    shutil.copytree(folder / "_static", first / "_static")
    for site, version in ((folder, "0.9.0"), (folder, "v0.10.0"), (first, "v0.1.0"), (folder, "0.11.0rc1")):
        assert published(site, place, version) == ""
    return place


def test_the_address_of_all_releases_leads_to_the_newest_one(releases: Path) -> None:
    (target,) = SitePage(releases / "index.html").links
    assert target == "0.10.0/docs/index.html"
    assert (releases / target).is_file()


def test_only_the_built_site_of_a_release_is_published(folder: Path, tmp_path: Path) -> None:
    assert "main is no release" in published(folder, tmp_path, "main")
    assert "../2 is no release" in published(folder, tmp_path, "../2")
    assert "run make docs first" in published(tmp_path, tmp_path, "v1.0.0")
    assert not [*tmp_path.iterdir()]


def test_a_reader_stays_on_the_page_in_another_release_if_that_has_it(folder: Path, releases: Path) -> None:
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip(WHAT_TO_INSTALL)
    page = "docs/how-to/connect.html"
    with Browser(releases.as_uri()) as browser:
        browser.go(f"/0.10.0/{page}?q=1#keys")
        chosen = Select(browser.find("#versions select"))
        assert [option.text for option in chosen.options] == ["0.11.0rc1", "0.10.0", "0.9.0", "0.1.0"]
        assert chosen.first_selected_option.text == "0.10.0"
        chosen.select_by_visible_text("0.9.0")
        browser.until(
            lambda: browser.driver.current_url == f"{releases.as_uri()}/0.9.0/{page}", "it is 0.9.0"
        )
        Select(browser.find("#versions select")).select_by_visible_text("0.1.0")
        index = f"{releases.as_uri()}/0.1.0/docs/index.html"
        browser.until(lambda: browser.driver.current_url == index, "it is the index of 0.1.0")
        browser.driver.get(f"{folder.as_uri()}/{page}")
        assert not browser.find("#versions").is_displayed()
