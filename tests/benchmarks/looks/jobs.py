"""The jobs that are looked at, and the count of looks."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

PAGE = 100
"""Jobs on a page of the list, at most."""
ENDED = 0
"""Number of the one job that has ended from the start: watched to its end, it brings a process's code into memory."""
_MOVES = 20.0
"""Seconds after which the counts of a job that runs have moved on."""
_START = datetime(2026, 11, 22, 10, tzinfo=timezone.utc)
_WORD = re.compile(r"[^,()]+|[,()]")
Mask = dict[str, "Mask"]


def name(number: int) -> str:
    """Return the last part of a job's name, as long as the services' own."""
    return f"{number:036d}"


class Jobs:
    """As many jobs as are watched; each runs until it is told to end.

    Args:
        watched: How many.
        others: For each watched job, so many more in the list that nobody watches.
        clock: Seconds.
    """

    def __init__(self, watched: int, others: int, clock: Callable[[], float]) -> None:
        self.all = (watched + 1) * (others + 1)
        self._step, self._clock, self._begun = others + 1, clock, clock()
        self._ends: dict[int, float] = {ENDED: 0.0}
        self._made = 0
        self._kept: dict[tuple[int, str], tuple[tuple[bool, int], bytes]] = {}
        self._masks: dict[str, Mask] = {}
        self.counts = {"requests": 0, "gets": 0, "pages": 0, "looks": 0, "opened": 0, "most_open": 0}
        self.seen: set[int] = set()

    def number(self, watched: int) -> int:
        """Return the number of a watched job."""
        return watched * self._step

    def end_all(self, seconds: float) -> None:
        """Let all jobs end, each at a random moment of so many seconds from now."""
        now, chance = self._clock(), random.Random(1)
        self._ends |= {number: now + chance.random() * seconds for number in range(1, self.all)}

    # ------------------------------------------------------------ answers

    def create(self) -> bytes:
        """Hand out the next of the watched jobs."""
        self._made += 1
        return self.gemini(self.number(self._made - 1), "")

    def get(self, number: int, mask: str) -> bytes:
        """Answer Gemini's ``batches.get``."""
        self._looked(number)
        return self.gemini(number, mask)

    def list(self, size: int, token: str, mask: str) -> bytes:
        """Answer Gemini's ``batches.list``: newest first."""
        self.counts["pages"] += 1
        newest = int(token) if token else self.all - 1
        oldest = max(-1, newest - max(1, min(size, PAGE)))
        entries = []
        entry_mask = _of_entries(mask)
        for number in range(newest, oldest, -1):
            entries.append(self.gemini(number, entry_mask))
            if number % self._step == 0 and not self._state(number)[0]:
                self._looked(number, by_list=True)
        more = b"" if oldest < 0 else b',"nextPageToken":"%d"' % oldest
        return b'{"operations":[' + b",".join(entries) + b"]" + more + b"}"

    def openai(self, number: int) -> bytes:
        """Answer OpenAI's ``batches.retrieve``."""
        self._looked(number)
        ended, moved = self._state(number)
        counts = {"total": 1000, "completed": 1000 if ended else moved % 1000, "failed": 0}
        return json.dumps(
            {
                "id": name(number),
                "object": "batch",
                "endpoint": "/v1/chat/completions",
                "input_file_id": "file-input",
                "completion_window": "24h",
                "status": "completed" if ended else "in_progress",
                "output_file_id": "file-output" if ended else None,
                "created_at": int(_START.timestamp()),
                "request_counts": counts,
            }
        ).encode()

    def gemini(self, number: int, mask: str) -> bytes:
        """Return a job as much of it as the mask wants; what has not moved is not written again."""
        state = self._state(number)
        kept = self._kept.get((number, mask))
        if kept is None or kept[0] != state:
            if mask not in self._masks:
                self._masks[mask] = _read(mask)
            shown = _masked(_gemini(number, *state), self._masks[mask])
            kept = self._kept[number, mask] = state, json.dumps(shown, separators=(",", ":")).encode()
        return kept[1]

    def _state(self, number: int) -> tuple[bool, int]:
        """Return whether a job has ended, and how often it has moved."""
        now = self._clock()
        if self._ends.get(number, now + 1) <= now:
            return True, 0
        return False, int((now - self._begun + number % _MOVES) / _MOVES)

    def _looked(self, number: int, *, by_list: bool = False) -> None:
        self.counts["looks"] += 1
        self.counts["gets"] += not by_list
        self.seen.add(number)


def _gemini(number: int, ended: bool, moved: int) -> dict[str, Any]:
    created = f"{(_START + timedelta(seconds=number)).isoformat().removesuffix('+00:00')}.123456Z"
    done = 1000 if ended else moved % 1000
    stats = {
        "requestCount": "1000",
        "successfulRequestCount": str(done),
        "pendingRequestCount": str(1000 - done),
    }
    meta: dict[str, Any] = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "name": f"batches/{name(number)}",
        "model": "models/gemini-2.5-flash",
        "displayName": "benchmark",
        "state": "BATCH_STATE_SUCCEEDED" if ended else "BATCH_STATE_RUNNING",
        "createTime": created,
        "updateTime": created,
        "inputConfig": {"fileName": "files/input"},
        "batchStats": stats,
    }
    job: dict[str, Any] = {"name": meta["name"], "metadata": meta}
    if ended:
        meta |= {"endTime": created, "output": {"responsesFile": "files/output"}}
        job |= {"done": True, "response": {"responsesFile": "files/output"}}
    return job


def _of_entries(mask: str) -> str:
    """Return what a mask of the whole page wants of each job: all, if nothing was said."""
    found = re.fullmatch(r"(?:.*,)?operations\((.*)\)(?:,.*)?", mask)
    return found[1] if found else ""


def _read(mask: str) -> Mask:
    """Read ``a,b(c,d)``."""
    top: Mask = {}
    stack, last = [top], top
    for word in _WORD.findall(mask):
        if word == "(":
            stack.append(last)
        elif word == ")":
            stack.pop()
        elif word != ",":
            last = stack[-1].setdefault(word, {})
    return top


def _masked(value: Any, mask: Mask) -> Any:
    if not mask or not isinstance(value, dict):
        return value
    return {key: _masked(inner, mask[key]) for key, inner in value.items() if key in mask}
