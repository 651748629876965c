"""A task group that splits a large input into parts for many workers, and merges the rows into one table."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID
from airflow_provider_genai_batch.operators.built import check_order
from airflow_provider_genai_batch.operators.parts import (
    DRIFT_IN_PARTS,
    RENUMBER,
    GenAIBatchMergeOperator,
    GenAIBatchSplitOperator,
)
from airflow_provider_genai_batch.operators.run import GenAIBatchOperator
from airflow_provider_genai_batch.requests.tables.media_parts import with_media
from airflow_provider_genai_batch.task.settings.known import is_known

_OF_ONE_TASK = {
    "wait": "the rows of all parts are merged, so each task waits for its own",
    "plan_only": "a plan has no rows to merge: plan the whole input with GenAIBatchOperator",
    "pilot": "each part would have a pilot of its own: try the prompt with GenAIBatchOperator first",
}
"""Parameters of `GenAIBatchOperator` that make no sense for parts, and the reasons."""
_ALL_MAY_FAIL = 1.0


def genai_batch_group(  # noqa: PLR0913 - one a setting; keyword-only
    group_id: str,
    *,
    model: str,
    src: Any,
    results_uri: Any,
    parts: int | None = None,
    rows_per_part: int | None = None,
    media_uri: Any = None,
    max_cost: float | None = None,
    max_failed_rows: float = 0,
    checks: Sequence[Check] | None = None,
    on_check: str = "fail",
    conn_id: str = DEFAULT_CONN_ID,
    outlets: Any = None,
    **settings: Any,
) -> TaskGroup:
    """Submit a large input in parts, each in its own mapped task, and merge their rows into one table.

    The group has three tasks: ``split``, the mapped ``ask`` (`GenAIBatchOperator`), and ``merge``, which returns the
    manifest of all parts: ``group["merge"].output``. Each part has all guarantees of a single task.

    Args:
        group_id: the id of the task group.
        model: as for `GenAIBatchOperator`.
        src: a file (path or URI) of requests, or of rows with `prompt`; a pattern with ``*``; or a list of files.
            Several files are not copied; one file is cut into parts beside `results_uri`.
        results_uri: where all rows land, part after part, with ``ordered`` in the order of the input. The files of the
            parts are written beside it. ``bq://project.dataset.table`` is a table; an address with ``*`` in its name,
            such as ``gs://bucket/{{ ds }}/rows-*.parquet``, is a dataset: one file for each part.
        parts: the number of parts; None: `rows_per_part` decides, or each file is one part.
        rows_per_part: the most requests, or rows of a table, in a part.
        media_uri: folder for pictures and sound; each part has a subfolder there.
        max_cost: USD that all parts may cost together; each part may cost an equal share.
        max_failed_rows: count (int) or fraction (float up to 1.0) of the rows of all parts together that may fail.
        checks: conditions that the rows of all parts together must meet. Each part counts its own, and ``merge`` adds
            up what they counted.
        on_check: what happens if one is not met, ``fail`` or ``warn``.
        conn_id: the Airflow connection.
        outlets: the outlets of ``merge``.
        **settings: other parameters of `GenAIBatchOperator`, for each part; and those of any operator (``retries``,
            ``pool``, ``queue``, …), for all three tasks.

    Raises:
        ConfigurationError, InputError: a value that is known when the DAG is parsed is wrong.
    """
    results_uri, media_uri = address(results_uri), address(media_uri)
    known = signature(GenAIBatchOperator.__init__).parameters
    own = {name: settings.pop(name) for name in [*settings] if name in known}
    _check(
        model,
        src,
        {
            **own,
            "results_uri": results_uri,
            "media_uri": media_uri,
            "max_cost": max_cost,
            "checks": checks,
            "on_check": on_check,
        },
        parts,
        rows_per_part,
    )
    with TaskGroup(group_id) as group:
        split = GenAIBatchSplitOperator(
            task_id="split",
            model=model,
            src=src,
            results_uri=results_uri,
            parts=parts,
            rows_per_part=rows_per_part,
            prompt=with_media(own.get("prompt"), own.get("media")),
            **{name: own.get(name) for name in ("key", "columns", "request_defaults", "output_type")},
            media_uri=media_uri,
            max_cost=max_cost,
            conn_id=conn_id,
            **settings,
        )
        outputs: Any = split.output
        ask = GenAIBatchOperator.partial(
            task_id="ask",
            model=model,
            conn_id=conn_id,
            max_failed_rows=_ALL_MAY_FAIL,
            checks=checks,
            on_check="warn",
            **own,
            **settings,
        ).expand_kwargs(outputs)
        GenAIBatchMergeOperator(
            task_id="merge",
            manifests=ask.output,
            results_uri=results_uri,
            media_uri=media_uri,
            max_failed_rows=max_failed_rows,
            checks=checks,
            on_check=on_check,
            renumber=outputs[RENUMBER],
            ordered=own.get("ordered", False),
            conn_id=conn_id,
            **({} if outlets is None else {"outlets": outlets}),
            **settings,
        )
    return group


def _check(
    model: str, src: Any, settings: dict[str, Any], parts: int | None, rows_per_part: int | None
) -> None:
    """Refuse settings that cannot work, which the tasks of the group would refuse when they run.

    Raises:
        ConfigurationError, InputError: the message names the parameter.
    """
    from airflow_provider_genai_batch.task.checks.row_checks import refuse_drift
    from airflow_provider_genai_batch.task.parts.division import Division
    from airflow_provider_genai_batch.task.parts.places import check_dataset, is_dataset
    from airflow_provider_genai_batch.task.parts.split import addresses
    from airflow_provider_genai_batch.wire.tables.sql import is_table

    for name, why in _OF_ONE_TASK.items():
        if name in settings:
            msg = f"A group takes no {name}: {why}. Leave it out."
            raise ConfigurationError(msg)
    reuse = settings.get("reuse")
    results = getattr(reuse, "results", reuse)
    if any(one is True for one in (results if isinstance(results, (list, tuple)) else [results])):
        msg = (
            "reuse=True means the rows that the same task landed before, but parts land beside the table: name the "
            "table of the night before, for example reuse='…/{{ macros.ds_add(ds, -1) }}.jsonl'."
        )
        raise ConfigurationError(msg)
    if is_known(settings["checks"]):
        refuse_drift(settings["checks"] or (), DRIFT_IN_PARTS)
    uri = str(settings["results_uri"])
    check_dataset(uri)
    if (
        settings.get("prompt") is not None
        and settings.get("key") is None
        and (is_table(uri) or is_dataset(uri))
    ):
        msg = (
            "Rows of a part are numbered within it, and in a table or a dataset they keep these numbers: say with key "
            "which column tells rows apart."
        )
        raise ConfigurationError(msg)
    division = Division(parts, rows_per_part)
    if is_known(src):
        files = addresses(src)
        if len(files) == 1 and "*" not in files[0] and not files[0].endswith("/"):
            division.check_one(files[0])
    defaults = {
        name: one.default
        for name, one in signature(GenAIBatchOperator.__init__).parameters.items()
        if one.kind is one.KEYWORD_ONLY
    }
    own = {
        "model": model,
        "src": None,
        "deferrable": True,
        "template_fields": GenAIBatchOperator.template_fields,
    }
    check_order(SimpleNamespace(**{**defaults, **settings, **own}))
