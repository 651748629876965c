"""Pages hang together: links lead somewhere, every page is listed, the README stays short."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.demo.texts import CREDIT, reviews, tweets
from tests.docs.pages import ROOT, Page, all_pages

README = Page("README.md")
PAGES = pytest.mark.parametrize("page", all_pages(), ids=str)


@PAGES
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Page) -> None:
    for link in page.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), f"{page.name} links to {link}"
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in Page(target.relative_to(ROOT).as_posix()).anchors, f"{page.name} links to {link}"


def test_the_index_lists_every_page() -> None:
    index = Page("docs/index.md")
    listed = {(index.path.parent / link).resolve() for link in index.links}
    missing = set((ROOT / "docs").rglob("*.md")) - listed - {index.path}
    assert not missing


@PAGES
def test_every_fence_is_closed_and_says_its_language(page: Page) -> None:
    fences = re.findall(r"^\s*```.*$", page.text, re.MULTILINE)
    assert len(fences) == 2 * len(page.blocks)


def test_the_dags_of_the_readme_have_about_twenty_lines() -> None:
    lengths = [len([line for line in one.splitlines() if line.strip()]) for one in dags_of_the_readme()]
    assert len(lengths) == 2
    assert max(lengths) <= 23


def dags_of_the_readme() -> list[str]:
    return [block.text for block in README.blocks if block.language == "python"]


def test_the_commands_of_the_readme_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"`make (\w+)", README.text))
    assert commands == {"demo", "test", "docs", "lint", "format"}
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)


def test_a_dry_run_of_the_tests_runs_nothing(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-n", "VENV=none", "test"]
    said = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "none/bin/mypy; none/bin/lint-imports" in said.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "pyproject.toml"]


def test_every_example_that_is_named_is_there_and_their_number_is_told() -> None:
    assert len(list((ROOT / "example_dags").glob("*.py"))) == 8
    assert "has eight DAGs" in README.text


def test_every_example_has_retries_and_the_readme_shows_a_night() -> None:
    for path in (ROOT / "example_dags").glob("*.py"):
        assert re.search(r'default_args=\{"retries": [1-9]', path.read_text()), path.name
    assert all(re.search(r"\bretries=[1-9]", dag) for dag in dags_of_the_readme())
    first = dags_of_the_readme()[0]
    assert 'schedule="@daily"' in first
    assert "reuse=True" in first
    assert 'ready_by="06:00"' in first


def test_every_task_of_a_page_has_retries_unless_the_page_shows_how_it_fails() -> None:
    fails = {"first", "too_dear", "one_sided", "reviews"}
    seen = set()
    for page in all_pages():
        for block in page.blocks:
            tasks = len(re.findall(r"GenAIBatchOperator(?:\.partial)?\(|@task\.genai_batch\(", block.text))
            if block.language != "python" or not tasks or block.file.startswith("example_dags/"):
                continue
            dags = set(re.findall(r'with DAG\(\s*"(\w+)"', block.text))
            retries = len(re.findall(r"\bretries=[1-9]", block.text))
            assert dags & fails or "default_args" in block.text or retries >= tasks, block.where
            seen |= dags
    assert fails < seen


def test_the_texts_are_as_many_as_the_readme_says_and_their_authors_are_named() -> None:
    section = README.section("## Two commands")
    assert all(
        word in section for word in ("C.J. Hutto", "E. Gilbert", "vaderSentiment 3.3.2", "MIT License")
    )
    assert all(word in CREDIT for word in ("C.J. Hutto", "E. Gilbert", "vaderSentiment 3.3.2", "MIT License"))
    (archive,) = (ROOT / "build" / "texts").glob("*.tar.gz")  # make test and make demo fetch it
    assert f"{sum(1 for _ in reviews(archive)):,} sentences" in section
    assert f"{sum(1 for _ in tweets(archive)):,} tweets" in section
