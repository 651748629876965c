"""The tests that the page on testing shows to users, collected here as they stand there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.dags import _migrate
from tests.docs.pages import Page

PAGE = Page("docs/how-to/test-your-dag.md")
DAG_FILE, TEST_FILE = (block for block in PAGE.blocks if block.file)


@pytest.fixture(autouse=True)
def dag_file() -> Iterator[None]:
    """Have the page's DAG in the DAGs folder, where Airflow looks for it."""
    _migrate()
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / Path(DAG_FILE.file).name
    path.write_text(DAG_FILE.text, encoding="utf-8")
    yield
    path.unlink()


def test_the_page_shows_tests_that_are_collected_here() -> None:
    shown = [name for name in TEST_FILE.text.split() if name.startswith("test_") and "(" in name]
    assert len(shown) == 3
    assert all(name.partition("(")[0] in globals() for name in shown)


# Read as the page's own files are: what stands there becomes fixtures and tests of this module.
_module = sys.modules["reviews"] = ModuleType("reviews")
try:
    exec(compile(DAG_FILE.text, DAG_FILE.where, "exec"), _module.__dict__)
    exec(compile(TEST_FILE.text, TEST_FILE.where, "exec", dont_inherit=True), globals())
finally:
    del sys.modules["reviews"]
