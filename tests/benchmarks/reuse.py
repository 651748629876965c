"""What it costs to use earlier answers again, beside what the same work costs without: ratios of one run.

``python -m tests.benchmarks.reuse [ROWS …]`` measures each step in a process of its own, and writes the section.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models import Manifest, Reuse
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.requests.request_digest import RequestDigest
from airflow_provider_genai_batch.results.write import spell
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.reuse.find import Wanted
from airflow_provider_genai_batch.task.reuse.prepare import Search
from airflow_provider_genai_batch.wire.answers.answer import plain_row, tokens
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from tests.benchmarks.data import answers
from tests.benchmarks.inputs import prepare
from tests.benchmarks.meter import machine, measured
from tests.benchmarks.page import put, table
from tests.benchmarks.runs import run_ours
from tests.benchmarks.server import serving

MODEL = "gemini-2.5-flash"
STEPS = (
    "input",
    "input with digests",
    "look-ups, none found",
    "look-ups, all found",
    "landing of reused rows",
)
FRESH = "landing of fresh rows"
WITH_DIGESTS = "landing of fresh rows with digests"
HEADING = "Looking up earlier answers"


def step(name: str, rows: int, folder: Path, address: str = "") -> dict[str, float]:
    """Do one step; the files are there. The address is that of the service, if the step needs one."""
    source = read_source(str(folder / f"prompts-{rows}.jsonl"))
    config = ClientConfig(Backend.GEMINI, api_key="benchmark", host=address or None)
    with GenAIBatchClient(config) as client, ExitStack() as stack:
        if name.startswith("input"):

            def read() -> None:
                with read_input(
                    client, source, model=MODEL, several_jobs=True, with_ledger=name.endswith("digests")
                ):
                    pass

            return measured(read, rows)
        model = "gemini-2.5-pro" if name in ("look-ups, none found", WITH_DIGESTS) else MODEL
        prepared = stack.enter_context(
            read_input(client, source, model=model, several_jobs=True, with_ledger=True)
        )
        search = Search(
            str(folder / "rows.jsonl"),
            Reuse(str(folder / "earlier.jsonl")),
            dedupe=False,
            wanted=Wanted(),
            manifest=lambda: None,
            read_manifest=Manifest.model_validate,
        )
        found = []

        def look_up() -> None:
            found.append(search.begin(client, prepared, Identity("0" * 64, "1" * 64), stack))

        figures = measured(look_up, rows)
        (at_hand,) = found
        search.discard(client, Identity("0" * 64, "1" * 64))
        assert at_hand.left == (rows if model != MODEL else 0)
        if name.startswith("look-ups"):
            return figures
        landing = Landing(results_uri=search.results_uri, facts=InputFacts.of(prepared), at_hand=at_hand)
        jobs = [client.get(f"batches/plain-{rows}")] if name == WITH_DIGESTS else []
        return measured(lambda: land_jobs(client, jobs, landing), rows)


def make(rows: int, folder: Path) -> None:
    """Write an input and its earlier results."""
    path = prepare(folder, "jsonl", rows)
    digest = RequestDigest(Backend.GEMINI, MODEL)

    def landed() -> Iterator[bytes]:
        with path.open("rb") as lines:
            for line, text in zip(lines, answers("plain", rows), strict=True):
                ((key, asked),) = digest.of(line)
                row = plain_row(
                    key, "ok", text=text, finish_reason="STOP", usage=tokens(31, 112), model_version=MODEL
                )
                row |= {"tier": "batch", "asked": asked.hex(), "answered_at": "2026-11-27T03:00:00Z"}
                yield spell(row) + b"\n"

    with (folder / "earlier.jsonl").open("wb") as out:
        out.writelines(landed())


def measure(rows: int) -> dict[str, dict[str, float]]:
    """Return the figures of each step, and of a landing of fresh rows."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(rows, folder)
        for one in STEPS:
            figures[one] = _apart(one, rows, folder)
        with serving(folder) as address:
            figures[FRESH] = run_ours(address, folder, "plain", rows)
            figures[WITH_DIGESTS] = _apart(WITH_DIGESTS, rows, folder, address)
    return figures


def _apart(name: str, rows: int, folder: Path, *address: str) -> dict[str, float]:
    """Do a step in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.reuse", name, str(rows), str(folder), *address]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return figures


def section(found: dict[int, dict[str, dict[str, float]]]) -> str:
    """Write the section from the figures of each number of rows."""
    lines = [
        (step, f"{rows:,}", f"{cost['us_per_row']:.1f}", f"{cost['growth_mb']:.0f}")
        for rows, figures in found.items()
        for step, cost in figures.items()
    ]
    reused, digested = (
        " and ".join(f"{one[name]['us_per_row'] / one[FRESH]['us_per_row']:.2f}" for one in found.values())
        for name in (STEPS[-1], WITH_DIGESTS)
    )
    said = _TEXT.format(machine=machine(), reused=reused, digested=digested)
    return said + table(("Step", "Rows", "CPU time a row, µs", "Memory grew by, MB"), lines)


def main(numbers: list[int]) -> None:
    """Measure, and write the section."""
    text = section({rows: measure(rows) for rows in numbers})
    put(HEADING, text)
    print(text)  # noqa: T201 - for who waits for it


_TEXT = """\
[`reuse`](../how-to/pay-only-for-what-changed.md) looks up each request in the rows of earlier nights; here there are as
many of them as requests. `python -m tests.benchmarks.reuse` measures each step in a process of its own ({machine}).
Landing a row that is used again costs {reused} times as much as landing a fresh one in a task without `reuse`; landing
a fresh one with its digest costs {digested} times as much. The memory is that of the step alone.

"""


if __name__ == "__main__":
    match sys.argv[1:]:
        case [one, number, where, *address] if one in (*STEPS, WITH_DIGESTS):
            print(json.dumps(step(one, int(number), Path(where), *address)))  # noqa: T201 - it is read
        case numbers:
            main([*map(int, numbers)] or [1_000_000])
