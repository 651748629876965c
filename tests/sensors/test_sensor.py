"""The sensor: several jobs, manifests in every form, timeouts and soft failure in its three modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, task

from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    JobFailed,
    JobLost,
    OutputNotReadable,
    PermissionDenied,
)
from airflow_provider_genai_batch.flows import retry as backoff
from airflow_provider_genai_batch.operators.genai_batch import (
    GenAIBatchCancelOperator,
    GenAIBatchDeleteOperator,
    GenAIBatchOperator,
)
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client, lines

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {"deferrable": True},
}
in_every_mode = pytest.mark.parametrize("mode", MODES)


def submit(count: int = 1) -> list[str]:
    with client() as service:
        return [service.create(MODEL, ["a", "b"]).name for _ in range(count)]


def sense(mode: str, **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchSensor(
            task_id="sense", **{"poke_interval": 0.05, "timeout": 30, **MODES[mode], **settings}
        )
    )


@in_every_mode
def test_it_waits_for_all_of_several_jobs(gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle(looks=4)))
    names = submit(3)
    ran = sense(mode, job_names=names)
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["job_names"] == names
    assert ran.xcom["sense"]["counts"]["total"] == 6


@pytest.mark.parametrize(
    "template",
    [
        "{{ ti.xcom_pull('submit') }}",
        "{{ ti.xcom_pull('submit') | tojson }}",
        "{{ ti.xcom_pull('submit')['job_names'] }}",
        "{{ ti.xcom_pull('submit')['job_names'][0] }}",
    ],
)
def test_a_template_of_the_manifest_names_its_job(gemini: Emulator, template: str) -> None:
    def fill() -> None:
        asked = GenAIBatchOperator(task_id="submit", model=MODEL, src=["a"], wait=False)
        asked >> GenAIBatchSensor(task_id="sense", job_names=template, poke_interval=0.05, deferrable=False)

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["job_names"] == ran.xcom["submit"]["job_names"]


@in_every_mode
def test_a_job_that_was_just_submitted_is_given_time_to_appear(gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript(get_lag=2))

    def fill() -> None:
        job = GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], wait=False)
        GenAIBatchSensor(task_id="sense", job_names=job.output, poke_interval=0.05, timeout=30, **MODES[mode])

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors


@in_every_mode
def test_its_timeout_fails_it_and_leaves_the_job_alone(gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck()))
    ran = sense(mode, job_names=submit(), timeout=0.3)
    assert ran.state == "failed"
    assert isinstance(ran.errors[-1], AirflowSensorTimeout)
    assert not gemini.jobs[0]["cancel_requested"]


@in_every_mode
@pytest.mark.parametrize("why", ["a timeout", "a failed job"])
def test_soft_fail_skips_instead(gemini: Emulator, mode: str, why: str) -> None:
    script = JobScript(lifecycle=Lifecycle.stuck()) if why == "a timeout" else JobScript(end="FAILED")
    gemini.script(script)
    ran = sense(mode, job_names=submit(), timeout=0.3 if why == "a timeout" else 600, soft_fail=True)
    assert ran.states["sense"] == "skipped"


@in_every_mode
def test_one_failed_job_of_several_fails_it_by_name(gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript())
    gemini.script(JobScript(end="FAILED", error={"code": 13, "message": "broken"}))
    names = submit(2)
    ran = sense(mode, job_names=names)
    assert isinstance(ran.errors[-1], JobFailed)
    assert names[1] in str(ran.errors[-1])


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_rows_that_are_not_readable_yet_are_left_for_the_next_poke(
    gemini: Emulator, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(late_output=8))
    names = submit()

    def refuse(seconds: float) -> None:
        msg = f"a poke would sleep {seconds} s in its slot"
        raise AssertionError(msg)

    monkeypatch.setattr("airflow_provider_genai_batch.flows.outcome.collect.Sleep", refuse)
    ran = sense(mode, job_names=names)
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["counts"]["ok"] == 2


@in_every_mode
def test_rows_that_should_have_been_readable_long_ago_fail_it(
    gemini: Emulator, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.at_once(), late_output=10_000))
    for module in ("flows.outcome.collect", "task.jobs.patience"):
        monkeypatch.setattr(f"airflow_provider_genai_batch.{module}.READ_PATIENCE", 0.2)
    monkeypatch.setattr("airflow_provider_genai_batch.flows.outcome.collect.CLOCKS_APART", 0.2)
    ran = sense(mode, job_names=submit())
    assert isinstance(ran.errors[-1], OutputNotReadable)


@in_every_mode
def test_trouble_with_reading_rows_that_are_old_is_waited_out(
    gemini: Emulator, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.01)
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines())
    gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
    with client() as service:
        name = service.create(MODEL, service.upload(path)).name
        assert service.get(name).done
    gemini.clock.advance(24 * 3600)
    gemini.faults.add("files.download", Fault.error(503, times=TRIES))
    ran = sense(mode, job_names=name)
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["counts"]["ok"] == 3


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_failure_leaves_its_manifest_for_whoever_comes_after(gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript(row_errors={"#1": 13}))
    names = submit()
    found: list[Any] = []

    def fill() -> None:
        waits = GenAIBatchSensor(task_id="sense", job_names=names, poke_interval=0.05, **MODES[mode])

        @task(trigger_rule="all_done")
        def after(ti: Any = None) -> None:
            found.append(ti.xcom_pull(task_ids="sense", key="manifest"))

        waits >> after()

    ran = run_dag(fill)
    assert ran.states["sense"] == "failed"
    assert found[0]["job_names"] == names
    assert (found[0]["counts"]["ok"], found[0]["counts"]["error"]) == (1, 1)


def test_a_paused_job_can_be_cancelled_but_not_deleted(gemini: Emulator) -> None:
    gemini.script(JobScript(end="PAUSED", lifecycle=Lifecycle.at_once()))
    names = submit()
    refused = run_dag(lambda: GenAIBatchDeleteOperator(task_id="d", job_names=names))
    assert "Cancel it first" in str(refused.errors[0])
    assert run_dag(lambda: GenAIBatchCancelOperator(task_id="c", job_names=names)).state == "success"
    assert gemini.jobs[0]["cancel_requested"]


@in_every_mode
def test_an_allowance_that_is_none_is_refused(gemini: Emulator, mode: str) -> None:
    ran = sense(mode, job_names="batches/x", max_failed_rows=-1)
    assert isinstance(ran.errors[0], ConfigurationError)
    assert gemini.requests == []


def test_looks_without_a_pause_on_the_triggerer_are_refused(gemini: Emulator) -> None:
    ran = sense("deferrable", job_names="batches/x", poke_interval=0)
    assert isinstance(ran.errors[0], ConfigurationError)
    assert "poke_interval is 0" in str(ran.errors[0])
    assert gemini.requests == []


def test_cancelling_is_idempotent(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    names = submit()
    for _ in range(2):
        assert run_dag(lambda: GenAIBatchCancelOperator(task_id="c", job_names=names)).state == "success"
    assert gemini.jobs[0]["cancel_requested"]
    gone = run_dag(lambda: GenAIBatchCancelOperator(task_id="c", job_names="batches/never"))
    assert gone.state == "success"


@pytest.mark.parametrize("kind", [GenAIBatchCancelOperator, GenAIBatchDeleteOperator])
def test_a_task_that_needed_no_job_leaves_nothing_to_cancel_or_delete(gemini: Emulator, kind: Any) -> None:
    def fill() -> None:
        asked = GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], plan_only=True)
        asked >> kind(task_id="whole", job_names=asked.output)
        asked >> kind(task_id="names", job_names="{{ ti.xcom_pull('ask')['job_names'] }}")
        asked >> kind(task_id="blank", job_names="{{ '' }}")

    ran = run_dag(fill)
    assert (ran.states["whole"], ran.states["names"], ran.states["blank"]) == ("success", "success", "failed")
    assert "There is no job to act on" in str(ran.errors[0])


def test_one_job_that_cannot_be_cancelled_does_not_spare_the_others(gemini: Emulator) -> None:
    for _ in range(2):
        gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    names = submit(2)
    gemini.faults.add("batches.cancel", Fault.error(403, "not yours", grpc="PERMISSION_DENIED"))
    ran = run_dag(lambda: GenAIBatchCancelOperator(task_id="c", job_names=names))
    assert isinstance(ran.errors[0], PermissionDenied)
    assert [job["cancel_requested"] for job in gemini.jobs] == [False, True]


def test_deleting_is_idempotent_and_spares_a_job_that_goes_on(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    ended, running = submit(2)
    for _ in range(2):
        assert run_dag(lambda: GenAIBatchDeleteOperator(task_id="d", job_names=ended)).state == "success"
    refused = run_dag(lambda: GenAIBatchDeleteOperator(task_id="d", job_names=running))
    assert "Cancel it first" in str(refused.errors[0])
    assert [job["deleted"] for job in gemini.jobs] == [True, False]


def test_deleting_on_vertex_waits_for_the_operation(vertex: Emulator) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=["a"], dest="gs://emulator-staging/gone/", poll_interval=0.05
        )
    )
    names = ran.xcom["ask"]["job_names"]
    assert run_dag(lambda: GenAIBatchDeleteOperator(task_id="d", job_names=names)).state == "success"
    assert vertex.jobs[0]["deleted"]


def test_one_job_by_two_of_its_names_is_counted_once(vertex: Emulator) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=["a"], dest="gs://emulator-staging/twice/", poll_interval=0.05
        )
    )
    (name,) = ran.xcom["ask"]["job_names"]
    ran = sense("poke", job_names=[name, name.rpartition("/")[2]])
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["counts"]["total"] == 1


@in_every_mode
def test_soft_fail_does_not_skip_for_a_job_that_is_lost(gemini: Emulator, mode: str) -> None:
    ran = sense(mode, job_names="batches/never", soft_fail=True)
    assert ran.states["sense"] == "failed"
    assert isinstance(ran.errors[-1], JobLost)


@in_every_mode
@pytest.mark.parametrize("why", ["a lost job", "a failed job", "a timeout"])
def test_never_fail_skips_for_whatever_happens(gemini: Emulator, mode: str, why: str) -> None:
    if why != "a lost job":
        stuck = JobScript(lifecycle=Lifecycle.stuck())
        gemini.script(stuck if why == "a timeout" else JobScript(end="FAILED"))
    names = ["batches/never"] if why == "a lost job" else submit()
    ran = sense(mode, job_names=names, never_fail=True, timeout=0.3 if why == "a timeout" else 60)
    assert ran.states["sense"] == "skipped"


def test_soft_fail_does_not_skip_for_a_connection_that_went_while_it_was_deferred(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    names = submit()
    wait = GenAIBatchTrigger.run

    def without(self: GenAIBatchTrigger) -> Any:
        monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT")
        return wait(self)

    monkeypatch.setattr(GenAIBatchTrigger, "run", without)
    ran = sense("deferrable", job_names=names, soft_fail=True)
    assert isinstance(ran.errors[-1], JobLost)
