"""An environment for each extra, with nothing else in it, in which the extra's documented command runs."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.environment import with_extra

SCRIPTS = Path(__file__).parent / "extra_scripts"
PYTHON = "3.11"
"""Some extras ask for it."""
_EMULATOR = ("-m", "airflow_provider_genai_batch.emulator", "--port", "0")
_SECONDS = 240.0


class ExtraFailed(AssertionError):
    """A command did not do what it is documented to do."""


@dataclass(frozen=True)
class Command:
    """One command of the environment's Python, and what it says.

    Attributes:
        arguments: of Python.
        says: what stands in its output.
        status: how it ends.
        serves: it says so when it serves, at the address of its first line, and ends well by a signal.
    """

    arguments: tuple[str, ...]
    says: str
    status: int = 0
    serves: bool = False

    def run(self, python: Path, folder: Path) -> None:
        """Run it.

        Raises:
            ExtraFailed: it said or did something else.
        """
        said = self._serve(python, folder) if self.serves else self._end(python, folder)
        if self.says not in said:
            msg = f"{' '.join(self.arguments)} did not say {self.says!r}: {said}"
            raise ExtraFailed(msg)

    def _end(self, python: Path, folder: Path) -> str:
        done = subprocess.run(
            [str(python), *self.arguments],
            cwd=folder,
            env=_alone(folder),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
        if done.returncode != self.status or "Traceback" in done.stdout:
            msg = f"{' '.join(self.arguments)} ended with status {done.returncode}: {done.stdout}"
            raise ExtraFailed(msg)
        return done.stdout

    def _serve(self, python: Path, folder: Path) -> str:
        command = [str(python), *self.arguments]
        with (
            (folder / "served.log").open("w+") as log,
            subprocess.Popen(
                command, cwd=folder, env=_alone(folder), stdout=subprocess.PIPE, stderr=log, text=True
            ) as running,
        ):
            said: list[str] = []
            try:
                assert running.stdout
                for line in running.stdout:
                    said.append(line)
                    if self.says in line:
                        address = f"{said[0].strip()}/_emulator/health"
                        with urllib.request.urlopen(address, timeout=60) as answer:
                            assert answer.status == 200
                        running.send_signal(signal.SIGTERM)
                if running.wait(_SECONDS):
                    log.seek(0)
                    msg = f"{' '.join(self.arguments)} ended with status {running.returncode}: {said} {log.read()}"
                    raise ExtraFailed(msg)
            finally:
                running.kill()
        return "".join(said)


@dataclass(frozen=True)
class Extra:
    """One extra, or none.

    Attributes:
        extra: its name; empty is the package without extras.
        commands: what its pages say to run.
    """

    extra: str
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        return f"extra-{self.extra or 'none'}"

    def check(self, wheel: Path, place: Path) -> None:
        """Make the environment in a folder that is not there yet, and run the commands.

        Raises:
            ExtraFailed: one of them did something else.
        """
        python = with_extra(self.extra, PYTHON, wheel, place)
        folder = place / "work"
        folder.mkdir()
        (folder / "requests.jsonl").write_text(
            '{"key": "1", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}}\n'
        )
        for command in self.commands:
            command.run(python, folder)


def _alone(folder: Path) -> dict[str, str]:
    kept = {
        name: it for name, it in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL"))
    }
    return kept | {"AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}


def _script(*names: str) -> tuple[Command, ...]:
    return tuple(Command((str(SCRIPTS / f"try_{name}.py"),), f"{name}: it works") for name in names)


_CHECK = Command(
    (
        "-m",
        "airflow_provider_genai_batch",
        "check",
        "requests.jsonl",
        "--backend",
        "gemini",
        "--output",
        "json",
    ),
    '"requests": 1',
)
_TABLE = Command(
    (
        "-m",
        "airflow_provider_genai_batch",
        "check",
        "table.parquet",
        "--backend",
        "gemini",
        "--prompt",
        "{text}",
        "--output",
        "json",
    ),
    '"requests": 2',
)

EXTRAS: Sequence[Extra] = (
    Extra("", (_CHECK, Command(_EMULATOR, "pip install 'airflow-provider-genai-batch[emulator]'", status=1))),
    Extra(
        "emulator",
        (
            Command(_EMULATOR, "add: --no-bigquery", status=1),
            Command((*_EMULATOR, "--no-bigquery"), "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", serves=True),
        ),
    ),
    Extra("emulator-bigquery", (Command(_EMULATOR, "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", serves=True),)),
    Extra("bigquery", _script("bigquery")),
    Extra("common-ai", _script("common_ai")),
    Extra("gzip", _script("gzip")),
    Extra("openlineage", _script("openlineage")),
    Extra("parquet", (*_script("parquet"), _TABLE)),
    Extra("prices", _script("prices")),
    Extra("sql", _script("sql")),
    Extra(
        "all",
        (
            _CHECK,
            *_script("bigquery", "common_ai", "gzip", "openlineage", "parquet", "prices", "sql"),
            _TABLE,
        ),
    ),
)
