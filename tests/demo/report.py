"""What the demo prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_WIDTH = 100
_LABEL = 12


@dataclass(frozen=True)
class Sample:
    """A row to show."""

    key: str
    status: str
    text: str


@dataclass(frozen=True)
class Answers:
    """What was read from the rows themselves."""

    samples: list[Sample]
    tokens: Mapping[str, int]


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - the demo is for reading


class Step:
    """Says what is going on and how long it took."""

    def __init__(self, what: str) -> None:
        """Remember what it is.

        Args:
            what: In a few words.
        """
        self._what = what
        self._begun = time.monotonic()

    def __enter__(self) -> None:
        """Begin."""
        say(f"… {self._what}")

    def __exit__(self, kind: object, *_: object) -> None:
        """Say how long it took."""
        say(f"{'✗' if kind else '✓'} {self._what} ({time.monotonic() - self._begun:.1f} s)")


def progress_line() -> Callable[[Mapping[str, str | None]], None]:
    """Return a function that shows the states of tasks: on one line of a terminal, else a line a change."""
    begun = time.monotonic()
    on_terminal = sys.stdout.isatty()
    last: dict[str, str | None] = {}

    def show(states: Mapping[str, str | None]) -> None:
        nonlocal last
        line = "  ".join(f"{task} {state or 'waiting'}" for task, state in states.items())
        line = f"  {time.monotonic() - begun:5.1f} s  {line}"
        if on_terminal:
            print(f"\r{line[:_WIDTH]:<{_WIDTH}}", end="", flush=True)  # noqa: T201 - one line, rewritten
        elif states != last:
            say(line)
        last = dict(states)

    return show


def table(title: str, manifest: Mapping[str, Any], answers: Answers, seconds: float) -> None:
    """Print the results of one DAG run.

    Args:
        title: The DAG and what it did.
        manifest: What the operator left in XCom.
        answers: What the rows say.
        seconds: How long the run took.
    """
    counts = manifest["counts"] or {}
    say("─" * _WIDTH)
    say(title)
    say("─" * _WIDTH)
    lines = {
        "model": f"{manifest['model']} on {manifest['backend']}",
        "job": " ".join(manifest["job_names"]),
        "state": f"{manifest['state']}, {_lasted(manifest)}; the whole run took {seconds:.1f} s",
        "source": manifest["source"],
        "rows in": manifest["results_uri"] or " ".join(manifest["output"]),
        "rows": ", ".join(f"{counts.get(name, 0)} {name}" for name in counts),
        "tokens": ", ".join(f"{value} {name}" for name, value in answers.tokens.items()),
    }
    for label, value in lines.items():
        say(f"{label:<{_LABEL}}{value}")
    for sample in answers.samples:
        # The pretend model repeats the question, so that the end says most.
        text = " ".join(sample.text.split())[-(_WIDTH - _LABEL - 18) :]
        say(f"{'row':<{_LABEL}}{sample.key:<8}{sample.status:<8}… {text}")
    say()


def _lasted(manifest: Mapping[str, Any]) -> str:
    if not manifest["create_time"] or not manifest["end_time"]:
        return "times unknown"
    begun, ended = (datetime.fromisoformat(manifest[name]) for name in ("create_time", "end_time"))
    return f"{(ended - begun).total_seconds():.1f} s from creation to end"
