"""Who a job belongs to, on every Airflow: all coordinates of a task instance, and never its try."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.hooks.task_instance import key_of
from airflow_provider_genai_batch.hooks.task_state import has_left
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL

NAMES = st.text(st.sampled_from('ab_,"[]é'), min_size=1, max_size=4)
COORDINATES = st.tuples(NAMES, NAMES, NAMES, st.integers(-1, 12), st.one_of(st.none(), st.integers(0, 12)))


def context_of(place: tuple[str, str, str, int, int | None], try_number: int) -> Any:
    dag_id, task_id, run_id, map_index, iteration = place
    ti = SimpleNamespace(
        dag_id=dag_id, task_id=task_id, run_id=run_id, map_index=map_index, try_number=try_number
    )
    ti.region_id, ti.id = uuid4(), uuid4()  # which a clear or a try changes
    return {"ti": ti} if iteration is None else {"ti": ti, "loop": SimpleNamespace(index=iteration)}


# A busy machine is no fault of what is tested.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(COORDINATES, COORDINATES, st.integers(1, 3), st.integers(1, 3))
def test_keys_are_equal_where_all_coordinates_are(
    one: tuple[str, str, str, int, int | None],
    other: tuple[str, str, str, int, int | None],
    first: int,
    second: int,
) -> None:
    keys = key_of(context_of(one, first)), key_of(context_of(other, second))
    assert (keys[0] == keys[1]) is (one == other)
    assert key_of(context_of(one, first)) == key_of(context_of(one, second))


def test_outside_of_loops_the_key_is_what_it_was() -> None:
    assert task_key("d", "t", "r", -1) == key_of(context_of(("d", "t", "r", -1, None), 2))
    assert task_key("d", "t", "r", -1) == "6481285a0582a2a2ab6379e3fc50c34d305a32003ec261e34c0c03188865198d"


def test_task_instances_that_differ_in_any_coordinate_have_jobs_of_their_own_and_tries_share_one(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01,))  # before Airflow 3.3 a retry looks for long
    came_to: dict[tuple[str, str, str, int], list[str]] = {}

    class FailsOnce(GenAIBatchOperator):
        def execute(self, context: Any) -> Any:
            manifest = super().execute(context)
            ti = context["ti"]
            place = (ti.dag_id, ti.task_id, ti.run_id, ti.map_index)
            came_to.setdefault(place, []).extend(manifest["job_names"])
            if ti.try_number == 1:
                msg = "the first try ends when its job is there"
                raise RuntimeError(msg)
            return manifest

    how = {"model": MODEL, "wait": False, "retries": 1, "retry_delay": 0}

    def one() -> None:
        FailsOnce(task_id="one", src=["the same"], **how)

    def all_of_them() -> None:
        one()
        FailsOnce(task_id="two", src=["the same"], **how)
        FailsOnce.partial(task_id="mapped", **how).expand(src=[["the same"], ["the same"]])

    assert run_dag(all_of_them, runs=2).state == "success"
    assert run_dag(one).state == "success"
    assert len(came_to) == 2 * 4 + 1
    assert all(len(tries) == 2 and len({*tries}) == 1 for tries in came_to.values()), came_to
    assert len(gemini.jobs) == len({tries[0] for tries in came_to.values()}) == len(came_to)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([], False),
        ([{"region_index": 1, "state": "success"}], False),
        ([{"region_index": 0, "state": "failed"}], True),
        ([{"region_index": 1, "state": "success"}, {"region_index": 0, "state": "failed"}], True),
    ],
    ids=["it goes on", "a later iteration ended", "it ended", "both ended"],
)
def test_an_iteration_has_left_its_state_when_its_own_end_is_told(
    monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]], left: bool
) -> None:
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    region = uuid4()
    crumbs = [{"task_id": "t", "region_id": str(region), **crumb} for crumb in told]
    instance = task_runner.RuntimeTaskInstance
    monkeypatch.setattr(instance, "get_task_breadcrumbs", lambda **_: iter(crumbs), raising=False)
    monkeypatch.setattr(instance, "get_task_states", lambda **_: {"r": {"t": "success"}}, raising=False)
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, region_id=region, region_index=0)
    assert has_left(ti, "running") is left
    ti.region_id = UUID(int=0)  # outside of loops
    assert has_left(ti, "running")
