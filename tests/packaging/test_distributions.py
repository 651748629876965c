"""The wheel and the source distribution: whole, the same at every build, with a page that the index can show."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import tomllib
from markdown_it import MarkdownIt

from tests.docs.pages import ROOT, Page
from tests.matrix.environment import build
from tests.matrix.extras import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TREE = PROJECT["urls"]["Source"] + "/blob/v{}/"
PICTURES = TREE.replace("https://github.com/", "https://raw.githubusercontent.com/").replace("/blob/", "/")


@dataclass(frozen=True)
class Built:
    """Both distributions, and the source distribution unpacked."""

    sdist: Path
    wheel: Path
    unpacked: Path

    @property
    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    place = tmp_path_factory.mktemp("dist")
    sdist = build("sdist", ROOT, place / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (unpacked,) = (place / "unpacked").iterdir()
    return Built(sdist, build("wheel", ROOT, place / "wheel"), unpacked)


def test_both_are_the_same_byte_for_byte_when_they_are_built_from_the_source_distribution(
    built: Built, tmp_path: Path
) -> None:
    wheel, sdist = (build(kind, built.unpacked, tmp_path / kind) for kind in ("wheel", "sdist"))
    assert [_digest(wheel), _digest(sdist)] == [_digest(built.wheel), _digest(built.sdist)]


def test_the_source_distribution_has_every_file_of_the_repository(built: Built) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    there = {
        path.relative_to(built.unpacked).as_posix() for path in built.unpacked.rglob("*") if path.is_file()
    }
    assert {*listed.splitlines()} - there == set()


def test_a_wheel_has_the_package_and_the_examples_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {*archive.namelist()}
        for example in (ROOT / "example_dags").iterdir():
            if example.is_file():
                shipped = archive.read(f"airflow_provider_genai_batch/example_dags/{example.name}")
                assert shipped == example.read_bytes()
    assert "airflow_provider_genai_batch/py.typed" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"airflow_provider_genai_batch"}


def test_every_link_and_picture_of_the_page_on_the_index_leads_into_the_repository(built: Built) -> None:
    version, page = built.metadata["Version"], str(built.metadata.get_payload())
    seen = set()
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page):
        for inline in token.children or ():
            address = inline.attrs.get("href") or inline.attrs.get("src")
            if inline.type not in ("link_open", "image") or not address:
                continue
            base = PICTURES if inline.type == "image" else TREE
            assert str(address).startswith("https://"), address
            if PROJECT["urls"]["Source"].removeprefix("https://github.com/") not in str(address):
                continue
            path, _, anchor = str(address).removeprefix(base.format(version)).partition("#")
            assert (ROOT / path).exists(), address
            assert not anchor or anchor in Page(path).anchors, address
            seen.add(path)
    assert {"docs/tutorial.md", "docs/pictures/run.png", "LICENSE"} <= seen
    assert built.metadata["Description-Content-Type"] == "text/markdown"


def test_the_index_is_told_whose_it_is_and_what_it_is_about(built: Built) -> None:
    told = built.metadata
    assert {line.partition(",")[0] for line in told.get_all("Project-URL")} == {
        "Changelog", "Documentation", "Homepage", "Issues", "Source",
    }  # fmt: skip
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Author"]
    topics = [line for line in told.get_all("Classifier") if line.startswith("Topic ::")]
    assert topics


def test_every_extra_has_an_environment_in_the_matrix_and_no_other() -> None:
    assert {extra.extra for extra in EXTRAS} == {"", *PROJECT["optional-dependencies"]}


def test_all_is_every_extra_that_a_deployment_may_want() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    named = everything.partition("[")[2].rstrip("]").split(",")
    assert {*named} == {name for name in extras if name != "all" and not name.startswith("emulator")}


def test_with_the_emulator_alone_its_command_says_how_to_go_without_bigquery(
    built: Built, tmp_path: Path
) -> None:
    (extra,) = [extra for extra in EXTRAS if extra.extra == "emulator"]
    extra.check(built.wheel, tmp_path / "environment")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
