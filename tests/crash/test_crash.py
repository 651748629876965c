"""Nothing is paid twice and no row is lost, whatever dies: a part of the matrix on a real Airflow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.groups import PHASES, WAITING
from tests.crash.matrix import LANES, Matrix
from tests.crash.plan import BACKENDS, DOWNLOAD, JOBS, MODES, UPLOAD
from tests.crash.world import open_world

pytestmark = pytest.mark.stack

ALWAYS = [
    "execute: begins",
    "execute: returns",
    "execute_complete: begins",
    "execute_complete: returns",
    "Airflow DeferTask: not sent",
    "Airflow DeferTask: answered",
    "Airflow SetXCom: not sent",
    "Airflow SetXCom: answered",
    "Airflow SucceedTask: not sent",
    "Airflow SucceedTask: answered",
    "rows: written, not published",
    "rows: published",
]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with open_world(tmp_path_factory.mktemp("crash"), LANES) as world:
        found = Matrix(world)
        found.run_a_part()
        yield found


def test_every_run_ends_in_success_with_one_paid_job_and_every_row_once(matrix: Matrix) -> None:
    assert matrix.bad == []


def test_the_process_of_a_task_died_at_every_step(matrix: Matrix) -> None:
    expected = set(ALWAYS)
    for backend in BACKENDS:
        create, get, upload, download = (
            f"{JOBS[backend]}.create",
            f"{JOBS[backend]}.get",
            UPLOAD[backend],
            DOWNLOAD[backend],
        )
        for phase in ("not sent", "half sent", "sent, reply not read", "reply read"):
            expected |= {f"{create}: {phase}", f"{upload}: {phase}"}
        expected |= {f"{get}: {phase}" for phase in ("not sent", "sent, reply not read", "reply read")}
        expected |= {
            f"{download}: {phase}"
            for phase in ("not sent", "sent, reply not read", "half read", "reply read")
        }
    assert expected - matrix.steps == set()


def test_every_victim_died_on_each_service_and_in_each_mode(matrix: Matrix) -> None:
    seen = {
        (event.partition(":")[0], outcome.cell.backend, outcome.cell.mode)
        for outcome in matrix.outcomes
        for event in outcome.happened
    }
    for backend in BACKENDS:
        assert {("triggerer", backend, "deferred")} <= seen
        for mode in MODES:
            for victim in ("task", "worker", "supervisor", "scheduler", "connection", "service"):
                assert (victim, backend, mode) in seen


def test_triggerer_and_scheduler_were_lost_in_every_phase_of_waiting(matrix: Matrix) -> None:
    happened = {event for outcome in matrix.outcomes for event in outcome.happened}
    assert {*(f"triggerer: {phase}" for phase in PHASES), f"scheduler: {WAITING}"} <= happened
