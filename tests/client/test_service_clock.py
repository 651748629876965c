"""The service's time: told by the answers' `Date`, whatever the clock of this machine says or does."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_genai_batch.client.service_clock import ServiceClock
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import PermissionDenied, ServerError
from airflow_provider_genai_batch.testing import SharedClock
from tests.client.conftest import Connect
from tests.client.places import BUCKET, gemini_config, vertex_config

NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc).timestamp()
DATE = "Sat, 28 Nov 2026 12:00:00 GMT"


@dataclass
class Place:
    """A service and a client of it."""

    emulator: Emulator
    client: Any

    def time(self) -> float:
        """Return the service's time."""
        return self.emulator.clock.now_ns() / 1e9


def date(seconds: int) -> dict[str, str]:
    moment = datetime.fromtimestamp(NOON, timezone.utc) + timedelta(seconds=seconds)
    return {"date": f"{moment:%a, %d %b %Y %H:%M:%S} GMT"}


def test_before_any_answer_it_is_the_local_time_and_says_so(virtual_clock: SharedClock) -> None:
    virtual_clock.ahead = 400
    clock = ServiceClock()
    assert not clock.known
    assert clock.time() == virtual_clock.time()
    with pytest.raises(ValueError, match="no answer"):
        clock.time_at(0)


@pytest.fixture(params=["gemini", "vertex"])
def place(request: pytest.FixtureRequest, virtual_clock: SharedClock, connect: Connect) -> Iterator[Place]:
    """Give either service, with either client of it, on a clock that only the test moves."""
    with Emulator(clock=virtual_clock.service) as emulator:
        config = gemini_config(emulator) if request.param == "gemini" else vertex_config(emulator)
        yield Place(emulator, connect(config))


def test_a_worker_whose_clock_is_wrong_knows_the_services_time(
    place: Place, virtual_clock: SharedClock
) -> None:
    virtual_clock.ahead = -3600
    place.client.list()
    virtual_clock.advance(120)
    assert place.client.service_clock.known
    assert place.client.service_time() == pytest.approx(place.time(), abs=1)


def test_a_jump_of_the_local_clock_changes_nothing(place: Place, virtual_clock: SharedClock) -> None:
    place.client.list()
    before = place.client.service_time()
    virtual_clock.ahead = 4 * 86400
    assert place.client.service_time() == before


@pytest.mark.parametrize("skew", [600, -600])
def test_the_date_is_what_is_believed(place: Place, skew: int) -> None:
    place.emulator.date_skew = skew
    place.client.list()
    assert place.client.service_time() - place.time() == pytest.approx(skew, abs=1)


def test_a_refusal_tells_the_time_too(place: Place, virtual_clock: SharedClock) -> None:
    virtual_clock.ahead = 500
    place.emulator.faults.add("batches.list", Fault.error(403))
    place.emulator.faults.add("batchPredictionJobs.list", Fault.error(403))
    with pytest.raises(PermissionDenied):
        place.client.list()
    place.emulator.faults.clear()
    assert place.client.service_time() == pytest.approx(place.time(), abs=1)


def test_a_front_end_that_fails_does_not(emulator: Emulator, connect: Connect, naps: list[float]) -> None:
    client: Any = connect(gemini_config(emulator))
    emulator.faults.add("batches.list", Fault.error(502, times=5))
    with pytest.raises(ServerError):
        client.list()
    assert not client.service_clock.known
    assert naps


def test_cloud_storage_does_not_either(
    virtual_clock: SharedClock, cloud_storage: CloudStorage, connect: Connect
) -> None:
    """It has clocks of its own."""
    cloud_storage.write(f"{BUCKET}/object", [b"bytes"])
    with Emulator(clock=virtual_clock.service, storage=cloud_storage) as emulator:
        client: Any = connect(vertex_config(emulator))
        assert client.run(_metadata(f"{BUCKET}/object", client.calls)).size == 5
        assert not client.service_clock.known


def _metadata(uri: str, calls: Any) -> Generator[Any, Any, Any]:
    return (yield calls.get_object(uri))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "noon"},
        {"date": "Sat, 99 Nov 2026 12:00:00 GMT"},
        {"date": "Sat, 28 Nov 99999 12:00:00 GMT"},
        {"date": "\x00"},
        {"date": DATE, "age": "30"},
    ],
)
def test_an_answer_without_a_usable_date_says_nothing(headers: dict[str, str]) -> None:
    clock = ServiceClock()
    clock.learn(headers, 10, 11)
    assert not clock.known
    clock.learn({"date": DATE}, 100, 100)
    clock.learn(headers, 10, 11)
    assert clock.time_at(100) == NOON + 0.5


@pytest.mark.parametrize("date", [DATE, "Sat, 28 Nov 2026 12:00:00", "Sat, 28 Nov 2026 14:00:00 +0200"])
def test_every_spelling_of_a_date_is_read(date: str) -> None:
    clock = ServiceClock()
    clock.learn({"date": date}, 100, 100)
    assert clock.time_at(100) == NOON + 0.5


def test_answers_that_agree_narrow_the_time_down() -> None:
    """The clocks are 1000.75 s apart; each answer leaves out the fraction of a second and takes a while."""
    clock = ServiceClock()
    for sent in (10.0, 20.2, 30.4, 40.6, 50.8):
        dated = int(sent + 0.1 + 1000.75)
        clock.learn(date(dated), sent, sent + 0.2)
    assert clock.time_at(100) == pytest.approx(NOON + 1100.75, abs=0.2)


def test_a_slow_answer_does_not_spoil_what_quick_ones_told() -> None:
    clock = ServiceClock()
    clock.learn(date(0), 100, 100)
    clock.learn(date(30), 101, 161)
    assert clock.time_at(100) == pytest.approx(NOON + 0.5, abs=0.01)


def test_a_machine_that_was_asleep_learns_the_time_anew() -> None:
    """The monotonic clock of Linux stands still meanwhile."""
    clock = ServiceClock()
    clock.learn(date(0), 100, 100)
    clock.learn(date(7200), 101, 101)
    assert clock.time_at(101) == pytest.approx(NOON + 7200.5, abs=0.01)
