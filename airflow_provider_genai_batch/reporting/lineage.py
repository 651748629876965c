"""OpenLineage events of a task. Loaded when OpenLineage asks, because it needs the extra ``openlineage``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.openlineage.facet import (
    Dataset,
    ExternalQueryRunFacet,
    OutputDataset,
    OutputStatisticsOutputDatasetFacet,
    RunFacet,
)
from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import define, field

from airflow_provider_genai_batch.models.jobs.journal import is_journal
from airflow_provider_genai_batch.reporting.datasets import Place, destination_of, named, sources_of
from airflow_provider_genai_batch.reporting.tables import facets_of_table
from airflow_provider_genai_batch.task.settings.versions import versions_of

FACET = "genaiBatch"
"""The run facet of this package; ``docs/reference/lineage.md`` has its schema."""
MOST_JOBS = 100
"""Most names of jobs in a facet, because events pass queues and tables with limited sizes."""


@define
class GenAIBatchRunFacet(RunFacet):
    """The outcome of a task's jobs. Unknown fields are left out."""

    model: str | None = field(default=None)
    backend: str | None = field(default=None)
    state: str | None = field(default=None)
    jobs: list[str] | None = field(default=None)
    jobCount: int | None = field(default=None)  # noqa: N815 - OpenLineage's casing
    rounds: int | None = field(default=None)
    rows: dict[str, int] | None = field(default=None)
    usage: dict[str, int] | None = field(default=None)
    costUsd: float | None = field(default=None)  # noqa: N815
    output: list[str] | None = field(default=None)
    createTime: str | None = field(default=None)  # noqa: N815
    startTime: str | None = field(default=None)  # noqa: N815
    endTime: str | None = field(default=None)  # noqa: N815
    versions: dict[str, str] | None = field(default=None)


def lineage_of_asking(task: Any, manifest: Mapping[str, Any] | None) -> OperatorLineage[Any, Any]:
    """Return the lineage of a task that asks: from `src` to `dest` and `results_uri`.

    Args:
        task: a `GenAIBatchOperator` with its templates rendered.
        manifest: what it has come to; of a task that failed, as far as that is known; None: it begins.
    """
    manifest = manifest or {}
    destination = destination_of(task.dest, task.config)
    prefix = destination.gcs_uri if destination else None
    wanted = (destination.gcs_uri or destination.bigquery_uri) if destination else None
    # The directories below a prefix are new with every job; tables and files have no better name than their own.
    written = [] if prefix else _service_output(manifest, landed=bool(task.results_uri))
    if task.prompt is not None and wanted and wanted.startswith("bq://"):
        written = []  # rows of a table become another table; those in between are the task's own
    outputs = named([*written, wanted if not written else None, task.results_uri])
    found = versions_of(task)
    known = {"model": task.model, "versions": found and found.model_dump()}
    sources = sources_of(task.src, task.prompt)
    table = task.results_uri or (wanted if task.prompt is not None else None)
    facets = facets_of_table(task, table, sources) if table and table.startswith("bq://") else {}
    return _lineage(sources, outputs, task, manifest, known, dict.fromkeys(named([table]), facets))


def lineage_of_landing(task: Any, manifest: Mapping[str, Any] | None) -> OperatorLineage[Any, Any]:
    """Return the lineage of a task that lands rows of ended jobs: from where the service wrote them to `results_uri`.

    Args:
        task: a `GenAIBatchResultsOperator` with its templates rendered.
        manifest: as above; while it begins, that which it was given tells of the same jobs.
    """
    given = task.job_names if isinstance(task.job_names, Mapping) else {}
    manifest = manifest or {}
    inputs = [*named(_places(manifest) or _places(given)), *sources_of(task.src)]
    return _lineage(inputs, named([task.results_uri]), task, manifest, given)


def lineage_of_merging(task: Any, manifest: Mapping[str, Any] | None) -> OperatorLineage[Any, Any]:
    """Return the lineage of a task that merges the rows of parts: from where the service wrote them to `results_uri`.

    Args:
        task: a `GenAIBatchMergeOperator` with its templates rendered.
        manifest: as above.
    """
    manifest = manifest or {}
    return _lineage(named(_places(manifest)), named([task.results_uri]), task, manifest, manifest)


def _lineage(
    inputs: Sequence[Place],
    outputs: Sequence[Place],
    task: Any,
    manifest: Mapping[str, Any],
    known: Mapping[str, Any],
    facets: Mapping[Place, dict[str, Any]] | None = None,
) -> OperatorLineage[Any, Any]:
    counts = manifest.get("counts") or {}
    # Where rows land, all of them are, if they did. Of several other places nobody knows which has how many.
    landed = named([manifest.get("results_uri")])
    counted = landed if task.results_uri else outputs if len(outputs) == 1 else []
    outputs = [*outputs, *named([task.media_uri])]
    rows = counts.get("total")
    return OperatorLineage(
        inputs=[Dataset(namespace=place.namespace, name=place.name) for place in inputs],
        outputs=[
            _output(place, rows if place in counted else None, (facets or {}).get(place)) for place in outputs
        ],
        run_facets=_run_facets(manifest, known),
    )


def _output(place: Place, rows: int | None, of_table: dict[str, Any] | None = None) -> OutputDataset:
    facets: Any = (
        {} if rows is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
    )
    return OutputDataset(
        namespace=place.namespace, name=place.name, facets=of_table or {}, outputFacets=facets
    )


def _run_facets(manifest: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Say what became of a task's jobs, and what is `known` of them before."""
    names = [*manifest.get("job_names", ())]
    cost = manifest.get("cost") or {}
    facet = GenAIBatchRunFacet(
        model=manifest.get("model") or known.get("model"),
        backend=manifest.get("backend"),
        state=manifest.get("state"),
        jobs=names[:MOST_JOBS] or None,
        jobCount=len(names) or None,
        rounds=manifest.get("rounds"),
        rows=manifest.get("counts"),
        usage=manifest.get("usage"),
        costUsd=cost.get("usd"),
        output=[*manifest.get("output", ())][:MOST_JOBS] or None,
        createTime=manifest.get("create_time"),
        startTime=manifest.get("start_time"),
        endTime=manifest.get("end_time"),
        versions=manifest.get("versions") or known.get("versions"),
    )
    if not names:
        return {FACET: facet}
    return {
        FACET: facet,
        "externalQuery": ExternalQueryRunFacet(externalQueryId=names[0], source=_service(names[0])),
    }


def _service(job_name: str) -> str:
    return "gemini" if job_name.startswith("batches/") else "vertex"


def _service_output(manifest: Mapping[str, Any], *, landed: bool) -> list[str]:
    """Return where the service put rows; journals and Gemini's files are no more than a way to what has landed."""
    return [
        place
        for place in _places(manifest)
        if not (landed and (place.startswith("files/") or is_journal(place)))
    ]


def _places(manifest: Mapping[str, Any]) -> list[str]:
    return [place for place in manifest.get("output") or () if isinstance(place, str)]
