"""The command that starts the emulator says in one line why it cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_genai_batch.emulator import Emulator


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "{taken}"), "Port {taken} is in use"),
        (("--port", "99999"), "99999 is not a port: give a number from 0 to 65535"),
        (("--port", "0", "--looks", "-1"), "cannot start: looks and seconds are not negative"),
        (("--port", "0", "--host", "nowhere.invalid"), "The emulator cannot start: "),
    ],
    ids=["taken", "no port", "negative", "no address"],
)
def test_an_emulator_that_cannot_start_says_why_without_a_traceback(
    emulator: Emulator, arguments: tuple[str, ...], words: str
) -> None:
    taken = emulator.url.rpartition(":")[2]
    command = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--no-storage", "--no-bigquery"]
    command += [one.format(taken=taken) for one in arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (1, 2)
    assert words.format(taken=taken) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
