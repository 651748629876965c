"""The files that the page on testing shows, in a folder of their own, run by its own commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_genai_batch import testing
from tests.docs.pages import Page

PAGE = Page("docs/how-to/test-your-dag.md")
COMMANDS = next(block.text for block in PAGE.blocks if block.language == "shell").splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for block in PAGE.blocks:
        if block.file:
            path = tmp_path / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    return tmp_path


def test_they_pass_as_the_page_says(project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    for line in COMMANDS:
        words = shlex.split(line.replace("/tmp/genai-batch", str(project)).replace("$PWD", str(project)))
        if words[0] == "export":
            environment |= dict(word.split("=", 1) for word in words[1:])
            continue
        program = ["-m", "airflow"] if words[0] == "airflow" else []
        ran = subprocess.run(
            [sys.executable, *program, *words[1:]],
            check=False,
            capture_output=True,
            text=True,
            cwd=project,
            env=environment,
            timeout=240,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    tests = sum(len(re.findall(r"^def test_", block.text, re.MULTILINE)) for block in PAGE.blocks)
    assert f"{tests} passed" in ran.stdout


def test_every_fixture_is_told() -> None:
    told = {row[0].strip("`") for row in PAGE.table("## Fixtures", "Fixture")}
    public = {name: getattr(testing, name) for name in testing.__all__}
    assert told == {name for name, value in public.items() if not isinstance(value, type)}
