"""OpenLineage's facets of a typed table: its columns, and which of the input each is made of.

Source: OpenLineage's "Schema Dataset Facet" and "Column Level Lineage Dataset Facet".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.providers.common.compat.openlineage.facet import (
    ColumnLineageDatasetFacet,
    Fields,
    InputField,
    SchemaDatasetFacet,
    SchemaDatasetFacetFields,
)

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.reporting.datasets import Place
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.task.tables.typed import TypedTable, read_typed
from airflow_provider_genai_batch.wire.tables.types import Column

_MADE = "a model's answer"


def facets_of_table(task: Any, uri: str, sources: list[Place]) -> dict[str, Any]:
    """Return the facets of the table that a task writes; none where that cannot be read.

    Args:
        task: a `GenAIBatchOperator` with its templates rendered.
        uri: ``bq://project.dataset.table``.
        sources: of its rows.
    """
    try:
        table = read_typed(uri, task.output_type, task.rename)
        asked = () if task.prompt is None else Prompt(task.prompt).columns
    except GenAIBatchError:  # the task says so
        return {}
    source = sources[0] if len(sources) == 1 and sources[0].namespace == "bigquery" else None
    given = [task.columns] if isinstance(task.columns, str) else [*(task.columns or ())]
    back = given if source is not None else []
    fields = [SchemaDatasetFacetFields(name=one) for one in back] + [*_fields(table.columns)]
    facets: dict[str, Any] = {"schema": SchemaDatasetFacet(fields=fields)}
    if source is not None and asked:
        facets["columnLineage"] = ColumnLineageDatasetFacet(fields=_lineage(table, source, back, asked))
    return facets


def _fields(columns: Iterable[Column]) -> Iterable[Any]:
    for one in columns:
        inner = [*_fields(one.fields)] or None
        kind = f"ARRAY<{one.kind}>" if one.repeated else one.kind
        yield SchemaDatasetFacetFields(name=one.name, type=kind, fields=inner)


def _lineage(table: TypedTable, source: Place, back: list[str], asked: Iterable[str]) -> dict[str, Any]:
    same = {one: Fields(inputFields=_of(source, [one]), transformationType="IDENTITY") for one in back}
    made = {
        one: Fields(inputFields=_of(source, asked), transformationDescription=_MADE)
        for one in table.answer_columns
    }
    return {**same, **made}


def _of(source: Place, columns: Iterable[str]) -> list[Any]:
    return [InputField(namespace=source.namespace, name=source.name, field=one) for one in columns]
