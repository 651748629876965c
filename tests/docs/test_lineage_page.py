"""The page on lineage names datasets and facets as they are."""

from __future__ import annotations

from datetime import datetime, timezone

import attrs

from airflow_provider_genai_batch.models import Cost, Manifest, RowCounts, Usage, Versions
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.reporting import lineage
from airflow_provider_genai_batch.reporting.datasets import place_of
from tests.docs.pages import Page, code

PAGE = Page("docs/reference/lineage.md")
FIELDS = {code(row[0]): row[1] for row in PAGE.table("## Facets", "Field of `genaiBatch`")}
TIME = datetime(2026, 1, 1, tzinfo=timezone.utc)
PYTHON = {"string": str, "integer": int, "number": float, "array": list, "object": dict}


def test_datasets_are_named_as_the_page_says() -> None:
    rows = PAGE.table("## Names of datasets", "Address")
    assert [place_of(code(row[0])) for row in rows] == [(code(row[1]), code(row[2])) for row in rows]


def test_every_field_of_the_own_facet_is_told() -> None:
    own = {name for name in attrs.fields_dict(lineage.GenAIBatchRunFacet) if not name.startswith("_")}
    assert own == FIELDS.keys()
    assert f"first {lineage.MOST_JOBS}" in PAGE.text


def test_each_field_has_the_json_type_that_is_told() -> None:
    manifest = Manifest(
        backend=Backend.GEMINI,
        model="models/m",
        state="SUCCEEDED",
        job_names=("batches/1", "batches/2"),
        output=("files/a",),
        counts=RowCounts(total=1, ok=1),
        usage=Usage(total=1),
        versions=Versions(prompt="0123456789abcdef"),
        cost=Cost(usd=0.5, models=(), source="a list"),
        create_time=TIME,
        start_time=TIME,
        end_time=TIME,
    ).model_dump(mode="json")
    facets = lineage._run_facets(manifest, {})
    facet = attrs.asdict(facets[lineage.FACET])
    for name, kind in FIELDS.items():
        assert isinstance(facet[name], PYTHON[kind]), name
    assert {*facets} <= {code(row[0]) for row in PAGE.table("## Facets", "Facet")}
    assert facets["externalQuery"].externalQueryId == "batches/1"
