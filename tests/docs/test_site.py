"""The site is built without a warning, stands alone, and hangs together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from airflow_provider_genai_batch import client, emulator, exceptions, testing
from airflow_provider_genai_batch.models import BatchJob, Manifest, ResultRow
from airflow_provider_genai_batch.operators import genai_batch
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
        timeout=240,
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
