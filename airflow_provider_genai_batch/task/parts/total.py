"""Adds up the manifests of all parts to the manifest of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import TypeVar

from airflow_provider_genai_batch.exceptions import TooManyFailedRows
from airflow_provider_genai_batch.flows.outcome.messages import shown
from airflow_provider_genai_batch.flows.outcome.settle import allowed_rows
from airflow_provider_genai_batch.models import Checked, Cost, Manifest, Plan, RowCounts, Usage
from airflow_provider_genai_batch.models.jobs.job import JobState
from airflow_provider_genai_batch.models.manifest.cost import ModelCost
from airflow_provider_genai_batch.models.manifest.manifest import AnsweredBy, Saved
from airflow_provider_genai_batch.models.manifest.plan import PlannedCost
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.results.counting.causes import MOST_SHOWN

MOST_NAMES = 1000
"""The most names of jobs and outputs in one manifest, because a manifest is an XCom."""
_Value = TypeVar("_Value")


def total(
    parts: Sequence[Manifest],
    results_uri: str,
    digest: str | None,
    media_uri: str | None,
    bigquery: TableJobs | None = None,
    *,
    conn_id: str = "",
    checked: Sequence[Checked] = (),
) -> Manifest:
    """Add up the manifests of all parts.

    Args:
        parts: at least one, in the order of the input; the rows of each have landed.
        results_uri: where the rows of all parts are now.
        digest: the digest of that file; None if it is not one file.
        media_uri: the folder that has the parts' folders of media.
        bigquery: the jobs in BigQuery that merged them.
        conn_id: the connection of the parts; their fallbacks may have others.
        checked: the results of the checks of all rows.
    """
    first, ended = parts[0], _known(part.end_time for part in parts)
    behind = min(parts, key=lambda part: _is_behind(part.state))
    return Manifest(
        backend=first.backend,
        model=first.model if all(part.model == first.model for part in parts) else None,
        versions=first.versions if all(part.versions == first.versions for part in parts) else None,
        state=behind.state,
        job_names=tuple(name for part in parts for name in part.job_names)[:MOST_NAMES],
        display_name=first.display_name,
        source=first.source if len(parts) == 1 else None,
        output=tuple(place for part in parts for place in part.output)[:MOST_NAMES],
        results_uri=results_uri,
        results_digest=digest,
        media_uri=media_uri,
        bigquery=_table_jobs([part.bigquery for part in parts], bigquery),
        counts=_counts([part.counts or RowCounts() for part in parts]),
        row_schema=max(part.row_schema for part in parts),
        finish_reasons=_sums(part.finish_reasons for part in parts),
        dropped=_sums(part.dropped for part in parts),
        tiers=_sums(part.tiers for part in parts),
        checks=tuple(checked),
        causes=dict(Counter(_sums(part.causes for part in parts)).most_common(MOST_SHOWN)),
        answered_by=_answered_by(parts, conn_id),
        usage=_usage(_known(part.usage for part in parts)),
        cost=_cost([part.cost for part in parts]),
        plan=_plan([part.plan for part in parts]),
        saved=_saved(_known(part.saved for part in parts)),
        create_time=min(_known(part.create_time for part in parts), default=None),
        start_time=min(_known(part.start_time for part in parts), default=None),
        end_time=max(ended) if len(ended) == len(parts) else None,
        rounds=max(part.rounds for part in parts),
    )


def refuse_failed(manifest: Manifest, max_failed_rows: float) -> None:
    """Compare the failed rows of all parts together with `max_failed_rows`.

    Raises:
        TooManyFailedRows: more rows failed than it allows.
    """
    counts = manifest.counts or RowCounts()
    allowed = allowed_rows(max_failed_rows, counts.total)
    if counts.failed <= allowed:
        return
    causes = ", ".join(f"{number} {cause}" for cause, number in manifest.causes.items()) or "none given"
    msg = (
        f"{counts.failed} of {counts.total} rows of all parts failed ({shown(counts)}); max_failed_rows="
        f"{max_failed_rows} allows {allowed}. Causes: {causes}. All rows are at {manifest.results_uri}; the jobs of "
        "all parts have ended, and answered rows are paid for. Clear the mapped tasks whose rows failed with a larger "
        "retry_failed_rows to submit only those again; this task pays nothing, however often it runs."
    )
    raise TooManyFailedRows(msg, job_names=manifest.job_names, manifest=manifest.model_dump(mode="json"))


def _known(values: Iterable[_Value | None]) -> list[_Value]:
    return [value for value in values if value is not None]


def _is_behind(state: str) -> tuple[bool, bool]:
    """Return a sort key that puts the least advanced state first. An unknown state counts as not ended."""
    known = JobState(state) if state in JobState.__members__ else JobState.UNSPECIFIED
    return known.ended, known is JobState.SUCCEEDED


def _sums(numbers: Iterable[dict[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, numbers), Counter()))


def _counts(counts: Sequence[RowCounts]) -> RowCounts:
    sums = _sums(count.model_dump() for count in counts)
    absent = {name for name in ("reused", "same") if all(getattr(count, name) is None for count in counts)}
    return RowCounts(**{name: number for name, number in sums.items() if name not in absent})


def _usage(usages: Sequence[Usage]) -> Usage | None:
    return reduce(add, usages) if usages else None


def _cost(costs: Sequence[Cost | None]) -> Cost | None:
    """Add up costs; None if the cost of a part is not known."""
    known = _known(costs)
    if len(known) < len(costs):
        return None
    models: dict[tuple[str, str], ModelCost] = {}
    for one in (one for cost in known for one in cost.models):
        before = models.get((one.model, one.basis))
        models[one.model, one.basis] = (
            one if before is None else one.model_copy(update={"usd": before.usd + one.usd})
        )
    in_batch = [cost.usd_in_batch for cost in known]
    return Cost(
        usd=sum(cost.usd for cost in known),
        models=tuple(models.values()),
        source=next((cost.source for cost in known if cost.models), known[0].source),
        usd_in_batch=None if None in in_batch else sum(_known(in_batch)),
    )


def _plan(plans: Sequence[Plan | None]) -> Plan | None:
    known = _known(plans)
    if len(known) < len(plans):
        return None
    first = known[0]
    sums = _sums(
        {name: value for name, value in plan.model_dump().items() if type(value) is int} for plan in known
    )
    tiers = set(first.cost).intersection(*(plan.cost for plan in known))
    return first.model_copy(
        update={
            **sums,
            "cost": {tier: _planned([plan.cost[tier] for plan in known]) for tier in sorted(tiers)},
        }
    )


def _planned(costs: Sequence[PlannedCost]) -> PlannedCost:
    expected = [cost.expected for cost in costs]
    return PlannedCost(
        least=sum(cost.least for cost in costs),
        most=sum(cost.most for cost in costs),
        expected=None if None in expected else sum(_known(expected)),
    )


def _answered_by(parts: Sequence[Manifest], conn_id: str) -> tuple[AnsweredBy, ...]:
    """Sum up which model and connection answered how many rows; empty if no part used a fallback."""
    if not any(part.answered_by for part in parts):
        return ()
    each: list[AnsweredBy] = []
    for part in parts:
        own = AnsweredBy(model=part.model, conn_id=conn_id, ok=(part.counts or RowCounts()).ok)
        each += part.answered_by or (own,)
    return AnsweredBy.add_up(each)


def _table_jobs(parts: Sequence[TableJobs | None], own: TableJobs | None) -> TableJobs | None:
    if own is None:
        return None
    known = [*_known(parts), own]
    return TableJobs(
        jobs=tuple(job for one in known for job in one.jobs)[:MOST_NAMES],
        bytes_billed=sum(one.bytes_billed for one in known),
    )


def _saved(saved: Sequence[Saved]) -> Saved | None:
    if not saved:
        return None
    usd = [one.usd for one in saved]
    return Saved(
        usage=reduce(add, (one.usage for one in saved)), usd=None if None in usd else sum(_known(usd))
    )
