"""The walks of the page about the house are those of recorded runs, and the longest gets no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from tests.docs.pages import Page
from tests.walks.recorder import Walk
from tests.walks.walks import to_create, to_event, to_manifest

PAGE = Page("docs/explanation/how-it-is-built.md")
MOST_FILES, MOST_MOVES = 71, 153
"""Of the way to the create call, a little above what it takes. Lower them with every change that straightens it."""
_STEP = re.compile(r"^\d+\. `(\S+\.py)`(?: `(\w+)`)?", re.MULTILINE)


def steps(title: str) -> Iterator[tuple[str, str]]:
    """Give the files of a walk of the page, and the functions that it names there."""
    walk = PAGE.section("## Three walks").partition(f"**{title}**")[2].partition("**")[0]
    yield from _STEP.findall(walk)


def assert_is_as_the_page_says(title: str, walk: Walk) -> None:
    calls = iter(walk.calls)
    expected = [*steps(title)]
    assert expected, title
    for file, function in expected:
        found = any(called == file and function in ("", name) for called, name in calls)
        assert found, f"the run does not come to {file} {function} after the steps before it"


def test_the_way_to_the_create_is_as_the_page_says_and_gets_no_longer(gemini: Emulator) -> None:
    walk = to_create()
    assert_is_as_the_page_says("From `execute` to the request that creates the job", walk)
    assert len(walk.files) <= MOST_FILES, sorted(walk.files)
    assert walk.moves <= MOST_MOVES, "\n".join(map(": ".join, walk.hops))


def test_the_way_from_the_event_to_the_manifest_is_as_the_page_says(gemini: Emulator, tmp_path: Path) -> None:
    assert_is_as_the_page_says("From `execute_complete` to the manifest", to_manifest(tmp_path))


def test_the_way_from_a_trigger_to_its_event_is_as_the_page_says(gemini: Emulator) -> None:
    assert_is_as_the_page_says("From a trigger's `run` to its event", to_event())


@pytest.fixture
def emulator_settings() -> dict[str, object]:
    """End jobs at the first look."""
    from airflow_provider_genai_batch.emulator import Lifecycle

    return {"lifecycle": Lifecycle.at_once()}
