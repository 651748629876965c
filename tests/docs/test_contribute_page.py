"""The page for contributors names commands, files and folders that are there, and every folder of tests by its room."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, Page, code

PAGE = Page("docs/how-to/contribute.md")
MAKEFILE = (ROOT / "Makefile").read_text()
_PATH = re.compile(r"`((?:[a-z_]+/)+(?:\w+\.\w+)?)`")


@pytest.mark.parametrize("command", [code(command) for command, _ in PAGE.table("## Set up", "Command")])
def test_every_command_is_in_the_makefile(command: str) -> None:
    target = command.removeprefix("make ")
    assert re.search(rf"^{re.escape(target)}:", MAKEFILE, re.MULTILINE)


def test_every_path_is_there() -> None:
    paths = {*_PATH.findall(PAGE.prose), *re.findall(r"pytest (\S+\.py)", PAGE.prose)}
    assert len(paths) > 20
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize(
    "room",
    [
        "client",
        "emulator",
        "flows",
        "hooks",
        "operators",
        "reporting",
        "requests",
        "results",
        "task",
        "triggers",
        "wire",
    ],
)
def test_a_room_has_its_folder_of_tests_in_the_table(room: str) -> None:
    places = " ".join(place for _, place in PAGE.table("## Write the test first", "What changes"))
    assert f"`tests/{room}/`" in places


def test_lint_checks_the_contracts() -> None:
    assert "lint-imports" in MAKEFILE
