"""Nights carried out: the task's own code against the emulator, on a clock that nobody waits for."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Capacity, Emulator, JobScript, Lifecycle, VirtualClock
from airflow_provider_genai_batch.exceptions import DeadlineMissed
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.journal import writer
from airflow_provider_genai_batch.task.journal.journal import Journal, Part
from airflow_provider_genai_batch.task.ready import plan
from airflow_provider_genai_batch.task.rounds.online import asking
from airflow_provider_genai_batch.task.rounds.online import round as round_
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.draws import HOURS, PACE, ROWS, Draw, draw
from tests.nights.night import KilledError, Night

_PER_EMULATOR = 50
"""Nights: more jobs would make each list longer."""
_STANDARD_SPELL = 60.0
_CALLS, _LINES, _GRACE = 2, 1, 300.0
"""Calls at a time, lines of one part of a journal, and seconds that calls under way are given: of this table about what
128, 256 and 30 are of a real one."""


@dataclass(frozen=True)
class Outcome:
    """What became of a night.

    Attributes:
        draw: what it was like.
        in_time: all rows were landed before the moment.
        whole: all rows were landed in the end.
        minutes: before the moment at which they were; negative: after it.
        how: ``batch``, ``flex``, ``standard``, or several, by the tiers that served.
        price: of all answers, also those that nobody used, as a multiple of the table's price in a batch.
        paid_twice: answers to requests that had one.
        in_flight: calls that were under way, or not yet written down, when a worker died or flex was left.
        deaths: of workers.
        error: what the last attempt that failed raised.
    """

    draw: Draw
    in_time: bool
    whole: bool
    minutes: float
    how: str
    price: float
    paid_twice: int
    in_flight: int
    deaths: int
    error: str


class Service:
    """The emulator of some nights, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.clock = SharedClock(VirtualClock(datetime(2026, 11, 29, tzinfo=timezone.utc)))
        self.emulator = Emulator(answer=self._answer, clock=self.clock.service)
        self.folder = folder
        self._lock = threading.Lock()
        self.begin(draw(0))

    def begin(self, one: Draw) -> None:
        """Forget what was asked before."""
        self.draw, self.answers, self.online = one, Counter[str](), 0

    def client(self) -> AbstractContextManager[GenAIBatchClient]:
        return GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k", host=self.emulator.url))

    def _answer(self, request: Any) -> str:
        text: str = request["contents"][0]["parts"][0]["text"]
        at_once = threading.current_thread().name.startswith("asyncio")
        with self._lock:
            self.answers[text] += 1
            self.online += at_once
        if at_once:
            self.clock.advance(1 / self.draw.pace)
        return text


class _Deaths:
    """Lets workers die where the night says so."""

    def __init__(self, service: Service) -> None:
        self._service, self._draw = service, service.draw
        self.writes = self.looks = 0
        self.in_flight = self.deaths = 0
        self._left = [*service.draw.deaths]
        self._waits = service.draw.dies_waiting

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be there while the task runs."""
        write, look = Journal.write, GenAIBatchClient.perform

        def dies_writing(journal: Journal, part: Part, lines: Sequence[bytes]) -> None:
            write(journal, part, lines)
            self.kept += len(lines)
            self.writes += 1
            if self._left and self.writes >= self._left[0]:
                self._left.pop(0)
                self.writes = 0
                self._die(max(0, self._service.online - self.kept) + _CALLS + _LINES)

        def dies_looking(client: GenAIBatchClient, *given: Any, **how: Any) -> Any:
            self.looks += 1
            if self._waits and self.looks == self._waits:
                self._die(0)
            return look(client, *given, **how)

        self.kept = 0
        with (
            patch.object(Journal, "write", dies_writing),
            patch.object(GenAIBatchClient, "perform", dies_looking),
        ):
            yield

    def _die(self, under_way: int) -> None:
        self.deaths += 1
        # The calls that were sent go on at the service, and their answers come to nobody.
        self.in_flight += under_way
        raise KilledError


def run(service: Service, one: Draw) -> Outcome:
    """Carry out a night."""
    emulator, begin = service.emulator, service.clock.time()
    service.begin(one)
    emulator.clear_requests()
    _script(service, one)
    at = begin + HOURS * 3600
    uri = service.folder / f"{one.number}.jsonl"
    night = Night(
        {
            "conn_id": "nights",
            "model": "gemini-2.5-flash",
            "source": lambda: [
                {"key": f"k{n:02}", "contents": f"night {one.number}, row {n}"} for n in range(ROWS)
            ],
            "results_uri": str(uri),
            "ready_by": ReadyBy(datetime.fromtimestamp(at, timezone.utc), if_stuck=one.if_stuck),
            "deferrable": one.deferrable,
            "poll_interval": 900,
        },
        service.client,
        run=f"night {one.number}",
        retries=6,
    )
    deaths = _Deaths(service)
    with deaths.at_work():
        manifest = night.go()
    ended = service.clock.time()
    rows = [json.loads(line) for line in uri.read_text().splitlines()] if uri.exists() else []
    good = {row["key"] for row in rows if row["status"] == "ok"}
    tiers = Counter(row.get("tier") or "batch" for row in rows if row["status"] == "ok")
    extra = sum(number - 1 for number in service.answers.values() if number > 1)
    missed = any(isinstance(error, DeadlineMissed) for error in night.errors)
    failures = [error for error in night.errors if not isinstance(error, KilledError)]
    return Outcome(
        draw=one,
        in_time=manifest is not None and ended <= at and not missed,
        whole=manifest is not None and len(good) == ROWS == len(rows),
        minutes=(at - ended) / 60,
        how=" and ".join(sorted(tiers)),
        price=(tiers["batch"] + tiers["flex"] + 2 * tiers["standard"] + 2 * extra) / ROWS,
        paid_twice=extra,
        in_flight=deaths.in_flight + _CALLS * (len({*tiers} - {"batch"}) > 1),
        deaths=deaths.deaths,
        error=f"{type(failures[-1]).__name__}: {failures[-1]}" if failures else "",
    )


def _script(service: Service, one: Draw) -> None:
    lifecycle = (
        Lifecycle.stuck()
        if one.kind == "stuck" and not one.answered
        else Lifecycle.stuck("RUNNING")
        if one.kind == "stuck" or one.job_seconds > 47 * 3600
        else Lifecycle.timed(pending=one.job_seconds / 2, running=one.job_seconds / 2)
    )
    service.emulator.script(
        JobScript(
            lifecycle=lifecycle,
            served=one.answered if one.kind == "stuck" else None,
            cancel_looks=100_000 if one.stuck_cancel else one.cancel_looks,
        )
    )
    service.emulator.capacity = Capacity(
        spells={
            "flex": (one.flex * one.spell, (1 - one.flex) * one.spell),
            "standard": (one.standard * _STANDARD_SPELL, (1 - one.standard) * _STANDARD_SPELL),
        }
    )


@contextmanager
def services() -> Iterator[Callable[[], Service]]:
    """Give a function that opens services, one after another."""
    with ExitStack() as stack, TemporaryDirectory() as folder:
        stack.enter_context(patch.object(plan, "expected_rate", lambda *_given, **_how: PACE))
        stack.enter_context(patch.object(round_, "MAX_CALLS", _CALLS))
        for module in (round_, writer):
            stack.enter_context(patch.object(module, "PART_LINES", _LINES))
        stack.enter_context(patch.object(asking, "GRACE", _GRACE))
        inner = stack.enter_context(ExitStack())

        def another() -> Service:
            inner.close()
            service = Service(Path(folder))
            inner.enter_context(clock.replaced(service.clock))
            inner.enter_context(service.emulator)
            return service

        yield another


def chunk(numbers: Sequence[int]) -> list[Outcome]:
    """Carry out nights in a process of their own."""
    import tests.conftest  # noqa: F401 - sets Airflow up

    logging.disable(logging.CRITICAL)
    return [*nights(numbers)]


def nights(numbers: Iterable[int]) -> Iterator[Outcome]:
    """Carry out nights."""
    with services() as another:
        service: Service | None = None
        for count, number in enumerate(numbers):
            if service is None or count % _PER_EMULATOR == 0:
                service = another()
            yield run(service, draw(number))
