"""The two nights, and a third task that asks all of the second night's requests anew."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import JobScript
from tests.deaths.lives import Service, run_process, service
from tests.deaths.process import ATTEMPT, DONE, Given

CHANGED = 0.02
_UNLUCKY = 2
"""Requests of the second night's first job that fail, and are asked once more."""
_JOBS = 3
"""Of what has changed."""
_MOST = 200
"""Processes of one task."""
_SECONDS = 3600.0
"""For one process: a night over all rows takes minutes."""
_SAME = ("key", "status", "text", "error", "usage", "finish_reason", "model")
"""What of a row does not tell when, and by which job, it was asked."""


@dataclass
class Task:
    """One task, over all of its attempts.

    Attributes:
        settings: of its operator.
        run: of which it is.
        deaths: the steps at which its processes died, each once.
        seconds: from begin to end.
        manifest: that it ended with.
    """

    settings: Mapping[str, Any]
    run: str
    deaths: list[str] = field(default_factory=list)
    seconds: float = 0.0
    manifest: dict[str, Any] = field(default_factory=dict)

    def go(self, running: Service, *, dies: bool = False) -> None:
        """Run attempts until it has succeeded; each dies at the first step at which none has died, if they are to.

        Raises:
            AssertionError: an attempt failed by itself, or there was no end.
        """
        folder = running.folder / self.run
        folder.mkdir()
        began = time.monotonic()
        for number in range(_MOST):
            spared = frozenset(self.deaths) if dies else None
            given = Given(
                ATTEMPT,
                number,
                number,
                0,
                running.config("gemini"),
                {},
                self.settings,
                self.run,
                folder,
                running.emulator.url,
                spared,
            )
            status = run_process(given, _SECONDS)
            if status == -signal.SIGKILL:
                self.deaths.append((folder / f"steps-{number}").read_text().splitlines()[-1])
                continue
            error = folder / f"error-{number}"
            assert status == DONE, error.read_text() if error.exists() else f"exit status {status}"
            self.seconds = time.monotonic() - began
            self.manifest = json.loads((folder / "manifest.json").read_text())
            return
        message = f"{self.run} had no end after {_MOST} processes"
        raise AssertionError(message)


@dataclass(frozen=True)
class Nights:
    """What came of both.

    Attributes:
        rows: of the table.
        changed: how many of them changed.
        paid: answers of the first night, of the second, and of the task that asked all anew.
        asked: requests of all jobs of the second night.
        failed: of those that the service failed, and that were asked again.
        deaths: steps at which processes of the second night died.
        seconds: of each of the three.
        differ: keys whose rows differ between the second night and the task that asked all anew.
        twice: texts that were answered more than once, by the two nights.
    """

    rows: int
    changed: int
    paid: tuple[int, int, int]
    asked: int
    failed: int
    deaths: list[str]
    seconds: tuple[float, float, float]
    differ: list[str]
    twice: int


def run(rows: int, folder: Path) -> Nights:
    """Let both nights pass."""
    changed = max(_JOBS * _UNLUCKY, round(rows * CHANGED))
    (folder / "first.jsonl").write_text("".join(_requests(rows, 0)))
    tonight = [*_requests(rows, changed)]
    random.Random(rows).shuffle(tonight)
    (folder / "second.jsonl").write_text("".join(tonight))
    usual = {"model": "gemini-2.5-flash", "poll_interval": 60, "reuse": True, "dedupe": True}
    results = folder / "rows.jsonl"
    first = Task({**usual, "src": str(folder / "first.jsonl"), "results_uri": str(results)}, "first")
    again = {"retry_failed_rows": 1, "max_requests_per_job": -(-changed // _JOBS)}
    second = Task(
        {**usual, **again, "src": str(folder / "second.jsonl"), "results_uri": str(results)}, "second"
    )
    whole = folder / "whole.jsonl"
    anew = Task(
        {**usual, "src": str(folder / "second.jsonl"), "results_uri": str(whole), "reuse": None}, "anew"
    )
    with service(folder) as running:
        answers = running.answers
        first.go(running)
        paid = [answers.total()]
        jobs = len(running.emulator.jobs)
        running.emulator.script(JobScript(row_errors=dict.fromkeys(range(_UNLUCKY), 13)))
        second.go(running, dies=True)
        paid.append(answers.total() - paid[0])
        twice = sum(number > 1 for number in answers.values())
        asked = sum(int(job["rows"]["total"]) for job in running.emulator.jobs[jobs:])
        answers.clear()
        anew.go(running)
        paid.append(answers.total())
    counts = second.manifest["counts"]
    assert counts["ok"] == counts["total"] == rows, counts
    return Nights(
        rows=rows,
        changed=changed,
        paid=(paid[0], paid[1], paid[2]),
        asked=asked,
        failed=_UNLUCKY,
        deaths=second.deaths,
        seconds=(first.seconds, second.seconds, anew.seconds),
        differ=[*_differ(results, whole)],
        twice=twice,
    )


def broken(nights: Nights) -> list[str]:
    """Tell what was promised and did not hold."""
    said = {
        f"the second night paid for {nights.paid[1]} answers": nights.paid[1] == nights.changed,
        f"the second night asked {nights.asked} requests": nights.asked == nights.changed + nights.failed,
        f"{nights.twice} requests were answered twice": nights.twice == 0,
        f"rows differ: {nights.differ[:5]}": not nights.differ,
        "no process died": bool(nights.deaths),
    }
    return [what for what, holds in said.items() if not holds]


def _requests(rows: int, changed: int) -> Iterator[str]:
    """Give the requests of a night; those that have changed are spread evenly."""
    every = rows // changed if changed else sys.maxsize
    left = changed
    for number in range(rows):
        is_new = left > 0 and number % every == every - 1
        left -= is_new
        text = f"Is {number} good?" if not is_new else f"Is {number} better?"
        line = {"key": f"k{number}", "request": {"contents": [{"role": "user", "parts": [{"text": text}]}]}}
        yield json.dumps(line) + "\n"


def _differ(one: Path, other: Path) -> Iterator[str]:
    for left, right in zip_longest(_sorted(one), _sorted(other), fillvalue={}):
        if {name: left.get(name) for name in _SAME} != {name: right.get(name) for name in _SAME}:
            yield str(left.get("key") or right.get("key"))


def _sorted(path: Path) -> list[dict[str, Any]]:
    with path.open() as lines:
        rows = [{name: row.get(name) for name in _SAME} for row in map(json.loads, lines)]
    return sorted(rows, key=lambda row: str(row["key"]))
