"""Measures how pictures land as files, and writes its section of the page.

``python -m tests.benchmarks.media`` lands pictures of 1 MB from a file on the loopback, kills that amid the files and
begins again, and has the operator ask the emulator for them, on both services, in place and deferred.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.wire.keys import stamp
from tests.benchmarks.meter import machine
from tests.benchmarks.ours_media import FEW
from tests.benchmarks.page import put, table
from tests.benchmarks.proof import airflow_settings, script
from tests.benchmarks.server import serving

HEADING = "Pictures as answers"
PICTURE = 1_000_000
"""Bytes of one."""
_ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]


def picture(index: int) -> bytes:
    """Return one, always the same."""
    return random.Random(index).randbytes(PICTURE)


def write_answers(folder: Path, pictures: int) -> None:
    """Write the result file of a job, as the Gemini API has it."""
    for number in {FEW, pictures}:
        with (folder / f"gemini-pictures-{number}.jsonl").open("w") as out:
            for index in range(number):
                data = {"mimeType": "image/png", "data": b64encode(picture(index)).decode()}
                parts = [{"text": f"Picture {index}."}, {"inlineData": data}]
                candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}
                out.write(json.dumps({"key": stamp(index), "response": {"candidates": [candidate]}}) + "\n")


def land(address: str, pictures: int, folder: Path, *, dies_at: int = 0) -> Figures | None:
    """Land with this package in a process of its own; None: it was killed."""
    command = [sys.executable, "-m", "tests.benchmarks.ours_media", address, str(pictures), str(folder)]
    environment = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [*command, str(dies_at)], cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if dies_at:
        assert done.returncode < 0, "it was not killed"
        return None
    done.check_returncode()
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def check_files(folder: Path, pictures: int) -> None:
    """Look at each row's file, by nothing but what the row says and what the picture was."""
    with (folder / f"rows-{pictures}.jsonl").open() as lines:
        rows = {row["key"]: row for row in map(json.loads, lines)}
    assert rows.keys() == {stamp(index) for index in range(pictures)}
    for index in range(pictures):
        (medium,) = rows[stamp(index)]["media"]
        data = Path(medium["uri"]).read_bytes()
        assert data == picture(index)
        assert (medium["bytes"], medium["sha256"]) == (len(data), sha256(data).hexdigest())
    there = [*(folder / f"media-{pictures}").glob("[!.]*")]
    assert len(there) == pictures, "there are files that no row names"


@contextmanager
def emulator(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run an emulator in a process of its own; give its address, and a connection for each service."""
    command = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--port", "0", "--at-once"]
    command += ["--no-bigquery", "--directory", str(folder / "emulator")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            said = [running.stdout.readline()]
            while not said[-1].startswith("export AIRFLOW_CONN_GENAI_BATCH_VERTEX"):
                said.append(running.stdout.readline())
                assert said[-1], said
            exports = (
                line.removeprefix("export ").strip().split("=", 1) for line in said if "AIRFLOW_CONN" in line
            )
            connections = {name: value.strip("'") for name, value in exports}
            yield (
                said[0].strip(),
                {
                    "gemini": connections["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"],
                    "vertex": connections["AIRFLOW_CONN_GENAI_BATCH_VERTEX"],
                },
            )
        finally:
            running.terminate()


def ask(folder: Path, backend: str, pictures: int, *, deferrable: bool) -> Figures:
    """Have the operator ask for pictures, and return its figures, and its manifest."""
    with emulator(folder) as (address, connections):
        script(address, media_bytes=20_000)
        script(address, media_bytes=PICTURE)
        environment = {**os.environ, **airflow_settings(folder, address)}
        environment["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"] = connections[backend]
        settings = {"backend": backend, "pictures": pictures, "deferrable": deferrable, "folder": str(folder)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.media_task", json.dumps(settings)],
            cwd=_ROOT,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def section(rows: list[tuple[str, int, Figures]], pictures: int) -> str:
    """Write the section."""
    line = PICTURE * 4 / 3
    cells = []
    for name, number, figures in rows:
        grew = max(0.0, figures["growth_mb"]) * 1e6
        cells.append(
            (
                name,
                f"{number:,}",
                f"{figures['us_per_row'] / 1000:.1f}",
                f"{grew / 1e6:.1f}",
                f"{grew / line:.1f}",
                f"1/{number * line / max(grew, 1):,.0f}",
            )
        )
    columns = ("By", "Pictures", "CPU time each, ms", "Memory grew by, MB", "In lines", "Of all answers")
    return _TEXT.format(pictures=pictures, machine=machine()) + table(columns, cells)


_TEXT = """\
`python -m tests.benchmarks.media` lands answers with pictures of 1 MB each, whose lines have 1.3 MB, as files. Each
file is read again and compared with its answer. *Landing alone* reads from the loopback and writes to the disk; a
process that is killed in the middle of the {pictures} files and started again leaves all of them, and no others. *The
operator* asks the emulator, waits for the end of the job and lands the rows; on Vertex AI its files go to the
emulator's Cloud Storage. Memory does not grow with the number of pictures. Measured on {machine}.

"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.media", description=__doc__)
    parser.add_argument("--pictures", type=int, default=300, help="of each run (default: %(default)s)")
    pictures = parser.parse_args().pictures
    rows: list[tuple[str, int, Figures]] = []
    with tempfile.TemporaryDirectory(prefix="media-") as made:
        folder = Path(made)
        with serving(folder) as address:
            for number in (pictures // 10, pictures):
                write_answers(folder, number)
                figures = land(address, number, folder)
                assert figures is not None
                check_files(folder, number)
                rows.append(("landing alone", number, figures))
            for path in (folder / f"media-{pictures}").iterdir():
                path.unlink()
            land(address, pictures, folder, dies_at=pictures // 2)
            land(address, pictures, folder)
            check_files(folder, pictures)
    for backend in ("gemini", "vertex"):
        for number, deferrable in ((pictures // 10, False), (pictures, False), (pictures, True)):
            with tempfile.TemporaryDirectory(prefix="media-") as made:
                figures = ask(Path(made), backend, number, deferrable=deferrable)
            name = f"the operator, {backend}, {'deferred' if deferrable else 'in place'}"
            rows.append((name, number, figures))
    text = section(rows, pictures)
    put(HEADING, text)
    print(text)  # noqa: T201 - for who waits for it


if __name__ == "__main__":
    main()
