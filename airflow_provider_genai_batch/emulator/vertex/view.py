"""A job as the BatchPredictionJob that the service returns."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.jobs.progress import fraction_done
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jobs.states import STATES, WAITING, wire
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, words
from airflow_provider_genai_batch.emulator.vertex.create import FIELDS
from airflow_provider_genai_batch.emulator.vertex.run import output_directory

KNOWN = FIELDS | words(
    "outputInfo state error partialFailures completionStats createTime startTime endTime "
    "updateTime resourcesConsumed modelMonitoringConfig modelMonitoringStatsAnomalies "
    "modelMonitoringStatus satisfiesPzs satisfiesPzi"
)
"""Fields of the resource."""


def resource(job: Job, now_ns: int, *, numbers: bool = False) -> JsonObject:
    """Return the resource.

    Args:
        job: The job.
        now_ns: The time, for the counters of a running job.
        numbers: Whether enums are numbers, which ``$alt=json;enum-encoding=int`` requests.
    """
    shown: JsonObject = {"name": job.name, **job.resource, "modelVersionId": "1"}
    state = job.state
    shown["state"] = STATES.index(state) if numbers and state in STATES else wire(state, "JOB_STATE_")
    if job.error is not None:
        shown["error"] = job.error
    info = _output_info(job)
    if info:
        shown["outputInfo"] = info
    stats = _stats(job, now_ns)
    if stats:
        shown["completionStats"] = stats
    partial = (job.output or {}).get("partial")
    if partial:
        shown["partialFailures"] = partial
    times = {
        "createTime": job.created_ns,
        "startTime": job.started_ns,
        "endTime": job.ended_ns,
        "updateTime": job.updated_ns,
    }
    shown |= {name: micros_text(at_ns) for name, at_ns in times.items() if at_ns is not None}
    return shown


def _output_info(job: Job) -> JsonObject:
    output = job.output or {}
    if "table" in output:
        return {"bigqueryOutputDataset": output["dataset"], "bigqueryOutputTable": output["table"]}
    directory = output.get("directory")
    if directory is None and job.state == "RUNNING":
        # The service exports rows while the job runs, so the directory is known before its end.
        directory = output_directory(job)
    return {"gcsOutputDirectory": directory} if directory else {}


def _stats(job: Job, now_ns: int) -> JsonObject:
    if job.state in WAITING or job.started_ns is None:
        return {}
    counts = job.counts
    if counts.total is None:
        return {} if job.ended else {"incompleteCount": "-1"}
    shown = 1 - job.script.lagging_counters
    succeeded = counts.succeeded
    if not job.ended:
        # Which of the processed rows have failed is decided only when the job ends.
        succeeded = int(counts.total * fraction_done(job, now_ns))
    done, failed = int(succeeded * shown), int(counts.failed * shown)
    numbers = {
        "successfulCount": done,
        "failedCount": failed,
        "incompleteCount": counts.total - done - failed,
    }
    return {name: str(number) for name, number in numbers.items() if number}
