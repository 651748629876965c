"""The events of a task's outlets get its manifest, beside what the user put there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_genai_batch.exceptions import ManifestError
from airflow_provider_genai_batch.models import Manifest, RowCounts
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.reporting import outlets
from airflow_provider_genai_batch.task.settings.job_names import read_manifest
from tests.docs.pages import Page

ROWS, OTHER, ALIAS = Asset("rows"), Asset("other"), AssetAlias("alias")
PAGE = Page("docs/how-to/lineage-and-assets.md")


def manifest(jobs: int = 1) -> dict[str, Any]:
    return Manifest(
        backend=Backend.GEMINI,
        state="SUCCEEDED",
        job_names=tuple(f"batches/{number:030}" for number in range(jobs)),
        output=tuple(f"files/batch-{number:030}" for number in range(jobs)),
        results_uri="/data/rows.jsonl",
        counts=RowCounts(total=2, ok=2),
    ).model_dump(mode="json")


def told(manifest: dict[str, Any], *asked: Any, events: Any = None) -> OutletEventAccessors:
    events = OutletEventAccessors() if events is None else events
    outlets.add_manifest_to_outlets({"outlet_events": events}, asked, manifest)
    return events


def test_each_asset_gets_the_manifest_as_it_is() -> None:
    events = told(manifest(), ROWS, OTHER)
    assert events[ROWS].extra == events[OTHER].extra == {outlets.KEY: manifest()}
    assert read_manifest(events[ROWS].extra[outlets.KEY]).counts == RowCounts(total=2, ok=2)


def test_what_the_user_put_there_stays() -> None:
    events = OutletEventAccessors()
    events[ROWS].extra["mine"] = 1
    events[OTHER].extra[outlets.KEY] = "mine too"
    told(manifest(), ROWS, OTHER, events=events)
    assert events[ROWS].extra == {"mine": 1, outlets.KEY: manifest()}
    assert events[OTHER].extra == {outlets.KEY: "mine too"}


def test_an_alias_and_an_outlet_that_is_no_asset_are_left_alone() -> None:
    events = told(manifest(), ALIAS, "a file", ROWS)
    assert [*events] == [Asset("rows")]


def test_nothing_happens_where_airflow_has_no_events() -> None:
    outlets.add_manifest_to_outlets({}, [ROWS], manifest())  # type: ignore[typeddict-item]


def test_the_manifest_of_many_jobs_is_cut_short_so_that_nobody_takes_it_for_the_whole() -> None:
    extra = told(manifest(jobs=1000), ROWS)[ROWS].extra[outlets.KEY]
    assert len(json.dumps(extra)) < 1024
    assert (extra["jobs"], extra["counts"]["ok"], extra["results_uri"]) == (1000, 2, "/data/rows.jsonl")
    with pytest.raises(ManifestError):
        read_manifest(extra)


def test_the_page_tells_what_is_left_out_and_from_which_size_on() -> None:
    assert f"{outlets.MOST_BYTES // 1024} KiB of manifest" in PAGE.text
    assert "without `job_names`, `output` and `causes`" in PAGE.text.replace("\n  ", " ")
    assert outlets.LEFT_OUT == ("job_names", "output", "causes")
