"""Goes through a page from top to bottom and does what it says, as its reader would."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from airflow_provider_genai_batch.__main__ import main
from airflow_provider_genai_batch.emulator.__main__ import parser
from tests.dags import migrate
from tests.docs.pages import ROOT, Block, Page

TAKEN_AS_READ = (
    "export ",
    "mkdir ",
    "airflow db migrate",
    "airflow standalone",
    "python -m pytest ",
    "pip install ",
    "python3 -m venv ",
    ". ",
)
"""Shell lines that set up what the tests have set up already; `pip install` is checked elsewhere.

What `airflow standalone` starts is started one by one in tests/airflow_stack and tests/browser.
"""
DATE = "2026-01-02"


@dataclass
class Walk:
    """One reader on one page."""

    page: Page
    folder: Path
    """Stands for what pages call /tmp/genai-batch and /data."""
    url: str
    """Of the emulator that stands for the one on port 8765."""
    said: str = ""
    """What the last block that ran has printed."""
    names: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Ids of DAGs that ran, in order."""

    def go(self) -> None:
        blocks = self.page.blocks
        in_shell = "\n".join(block.text for block in blocks if block.language == "shell")
        for block, following in zip_longest(blocks, blocks[1:]):
            expected = following.text if following and following.language == "text" else None
            try:
                self._do(block, in_shell, expected)
            except AssertionError as error:
                error.add_note(f"at {block.where}")
                raise
            except Exception as error:
                message = f"{block.where}: {error!r}"
                raise AssertionError(message) from error

    def _do(self, block: Block, in_shell: str, expected: str | None) -> None:
        if block.language == "shell":
            for line in block.text.splitlines():
                self._shell(line, expected)
        elif block.language == "python" and block.file.startswith("example_dags/"):
            example = (ROOT / block.file).read_text(encoding="utf-8")
            assert block.text.partition("\n")[2] in example, "the example does not read so"
        elif block.language == "python" and (block.file.startswith("dags/") or "\nwith DAG(" in block.text):
            dag_id = self._install(block)
            if f"airflow dags test {dag_id}" not in in_shell:
                assert not self._fails(dag_id), self.said
        elif block.language == "python" and block.file.startswith("tests/"):
            assert self.page.name == "docs/how-to/test-your-dag.md", (
                "test_users_tests.py knows that page only"
            )
        elif block.language == "python":
            assert not block.file, f"{block.file} is in no folder that is known here"
            self._python(block, expected)
        else:
            assert block.language in ("text", "json"), f"nobody knows how to check {block.language}"

    def _python(self, block: Block, expected: str | None) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(self._here(block.text), block.where, "exec"), self.names)
        if expected is not None:
            assert printed.getvalue() == expected

    def _shell(self, line: str, expected: str | None) -> None:
        words = shlex.split(self._here(line))
        if words[:3] == ["airflow", "dags", "test"]:
            failed = self._fails(*words[3:])
            assert failed == (expected is not None), self.said
            assert not failed or expected.strip() in re.sub(r"\s+", " ", self.said), self.said
        elif words[:2] == ["airflow", "genai-batch"]:
            self._command(words[2:])
        elif words[:3] == ["python", "-m", "airflow_provider_genai_batch"]:
            self._command(words[3:])
        elif words[0] == "curl":
            kind, body, url = words[1:]
            assert kind == "-d"
            sent = httpx.post(
                url,
                content=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                timeout=120,
            )
            sent.raise_for_status()
        elif words[:3] == ["python", "-m", "airflow_provider_genai_batch.emulator"]:
            parser().parse_args(words[3:])
        else:
            assert line.startswith(TAKEN_AS_READ), f"nobody knows how to check {line!r}"

    def _command(self, words: list[str]) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), patch.dict(os.environ):
            main(words)
        self.said = printed.getvalue()
        assert self.said or "--status" in words, "it prints nothing"

    def _install(self, block: Block) -> str:
        """Write a DAG file; return the id of its DAG."""
        (dag_id,) = re.findall(r'with DAG\(\s*"(\w+)"', block.text)
        path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / Path(block.file or f"{dag_id}.py").name
        path.write_text(self._here(block.text), encoding="utf-8")
        self.files.append(path)
        return dag_id

    def _fails(self, dag_id: str) -> bool:
        """Run a DAG by Airflow's own command, in this process; whether that failed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would like graphviz to be there
            from airflow.cli.cli_parser import get_parser
            from airflow.cli.commands import dag_command  # noqa: F401 - imported late by the parser otherwise

        migrate()
        self.ran.append(dag_id)
        arguments = get_parser().parse_args(["dags", "test", dag_id, DATE])
        printed = io.StringIO()
        failed = False
        with contextlib.redirect_stdout(printed):
            try:
                arguments.func(arguments)
            except SystemExit as end:
                failed = bool(end.code)
        self.said = printed.getvalue()
        return failed

    def _here(self, text: str) -> str:
        text = text.replace("/tmp/genai-batch", str(self.folder)).replace("/data", str(self.folder))
        if "job" in self.names:
            text = text.replace("batches/abc123", self.names["job"].name)
        return text.replace("http://127.0.0.1:8765", self.url)


@contextlib.contextmanager
def walk(page: Page, folder: Path, url: str) -> Iterator[Walk]:
    """Give a walk, and take its DAG files away at the end."""
    reader = Walk(page, folder, url)
    try:
        yield reader
    finally:
        for path in reader.files:
            path.unlink(missing_ok=True)
