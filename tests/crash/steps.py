"""The steps of a task, and the deaths that are dealt at them. This runs inside the task's process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

_SUPERVISOR = "LocalExecutor"
_ASKED = ".create: sent, reply not read"


class Walk:
    """One process of a task on its way; it dies where the configuration of its run says so.

    The configuration has ``cell`` (the run's name here), ``marks`` (a folder), ``injections`` (a list of ``{"part",
    "step", "victim"}``, dealt once each, in this order, each in a later attempt than the one before) and then
    ``lives``: so many times more it dies at the first step at which nobody of the same ``pool`` has died.
    """

    def __init__(self, conf: Mapping[str, Any], attempt: int, part: str) -> None:
        """Begin.

        Args:
            conf: Of the DAG run.
            attempt: Airflow's try number.
            part: ``execute`` or ``execute_complete``.
        """
        self._conf, self._attempt, self._part = conf, attempt, part
        self._cell, self._marks = str(conf["cell"]), Path(conf["marks"])
        self._seen: set[str] = set()
        self._asked = any(one["step"].endswith(_ASKED) for one in walked(self._marks, self._cell))

    def reach(self, step: str) -> None:
        """Note that a step is reached for the first time in this process, and die if it is the one."""
        if step in self._seen:
            return
        self._seen.add(step)
        self._asked = self._asked or step.endswith(_ASKED)
        note = {
            "time": time.time(),
            "pid": os.getpid(),
            "attempt": self._attempt,
            "part": self._part,
            "step": step,
        }
        self._append(note)
        before, wanted = marks(self._marks, self._cell), self._conf["injections"]
        if len(before) < len(wanted):
            one = wanted[len(before)]
            later = not before or self._attempt > before[-1]["attempt"]
            if later and (one["part"], one["step"]) == (self._part, step):
                self._deal(len(before), {**note, "victim": one["victim"], "found": False})
        elif len(before) < len(wanted) + self._conf["lives"] and self._is_new(step):
            self._deal(len(before), {**note, "victim": "task", "found": True})

    def _is_new(self, step: str) -> bool:
        """Claim a step for this run; a run whose lists lag leaves out what comes before there is anything to list."""
        if self._conf["after_create"] and not self._asked:
            return False
        attempt = "first" if self._attempt == 1 else "later"
        name = f"{attempt} {self._part} {step}" if self._conf["fine"] else step
        folder = self._marks / self._conf["pool"]
        folder.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (folder / name).touch(exist_ok=False)
            return True
        return False

    def _deal(self, number: int, note: Mapping[str, Any]) -> None:
        path = self._marks / f"{self._cell}.{number}.mark"
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(note))
        try:
            os.link(part, path)  # whole or not at all, and once: an orphan and its successor may both be here
        except FileExistsError:
            return
        finally:
            part.unlink()
        VICTIMS[note["victim"]](self)

    def wait_for_successor(self) -> None:
        """Stand still until a later attempt has begun."""

        def has_begun() -> bool:
            return any(one["attempt"] > self._attempt for one in walked(self._marks, self._cell))

        wait_until(has_begun, "a later attempt has begun")

    def _append(self, note: Mapping[str, Any]) -> None:
        with (self._marks / f"{self._cell}.walk").open("a") as out:
            out.write(json.dumps(note) + "\n")


def marks(folder: Path, cell: str) -> list[dict[str, Any]]:
    """Return what was dealt to a run so far, in order."""
    found: list[dict[str, Any]] = []
    while (path := folder / f"{cell}.{len(found)}.mark").exists():
        found.append(json.loads(path.read_text()))
    return found


def walked(folder: Path, cell: str) -> list[dict[str, Any]]:
    """Return the steps that a run's processes reached, in order."""
    path = folder / f"{cell}.walk"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _die(_: Walk) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _lose_supervisor(_: Walk) -> None:
    """Kill the supervisor and live on as an orphan."""
    parent = os.getppid()
    title = Path(f"/proc/{parent}/cmdline").read_text()
    if _SUPERVISOR not in title:
        message = f"the parent is no supervisor but {title!r}"
        raise RuntimeError(message)
    os.kill(parent, signal.SIGKILL)


def _die_with_supervisor(walk: Walk) -> None:
    _lose_supervisor(walk)
    _die(walk)


def _stall(walk: Walk) -> None:
    """Live on as an orphan, but only when the next attempt is at work."""
    _lose_supervisor(walk)
    walk.wait_for_successor()


def _lose_connection(_: Walk) -> None:
    from airflow_provider_genai_batch.client.transport.http import httpx

    message = "the connection was cut"
    raise httpx.ReadError(message)


def _wait_for_death(_: Walk) -> None:
    while True:
        signal.pause()


VICTIMS = {
    "task": _die,
    "worker": _die_with_supervisor,
    "supervisor": _lose_supervisor,
    "stalled": _stall,
    "scheduler": _wait_for_death,
    "connection": _lose_connection,
}
"""What each victim's end takes inside the task's process."""
