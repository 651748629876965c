"""Earlier results that are not what a task needs today: other columns, pictures that were not kept, none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import Reuse
from tests.task.plain_task import attempt
from tests.task.test_reuse import asked, client, rows, task, texts
from tests.task.test_reuse_combined import IMAGE, night

__all__ = ["client"]
OTHERS: dict[str, Any] = {
    "a table of something else": pa.table({"id": [1, 2]}),
    "digests that are numbers": pa.table({"status": ["ok"], "asked": [5]}),
    "times that are texts": pa.table({"status": ["ok"], "answered_at": ["today"]}),
    "usage that is a number": pa.table({"usage": [5]}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_columns_that_are_not_those_of_rows_are_refused_before_anything_is_paid(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, what: str
) -> None:
    earlier = tmp_path / "earlier.parquet"
    pq.write_table(OTHERS[what], earlier)
    with pytest.raises(
        InputError, match=r"cannot be read: .*columns are not those of rows.*nothing is billed"
    ):
        night(client, 1, texts(1, 2), tmp_path / "rows.jsonl", reuse=str(earlier))
    assert not emulator.jobs


def test_rows_without_a_column_that_may_be_absent_are_used_again(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    earlier, out = tmp_path / "earlier.parquet", tmp_path / "rows.jsonl"
    night(client, 1, texts(1, 2), earlier)
    pq.write_table(pq.read_table(earlier).drop_columns(["usage", "error"]), earlier)
    manifest = night(client, 2, texts(2, 1), out, reuse=str(earlier))
    assert (manifest["counts"]["reused"], asked(emulator)) == (2, [2])
    assert [row["text"] for row in rows(out).values()] == ["Answer to: Say 1", "Answer to: Say 2"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_an_answer_whose_pictures_were_not_kept_is_asked_for_again_where_they_are(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, ending: str
) -> None:
    out, how = tmp_path / f"rows.{ending}", {"model": "gemini-2.5-flash-image", "request_defaults": IMAGE}
    night(client, 1, texts(1, 2), out, keep="response", **how)
    for number in (2, 3):
        last = tmp_path / f"{number}.jsonl"
        manifest = night(
            client, number, texts(1, 2), last, media_uri=str(tmp_path), reuse=[str(out), True], **how
        )
        assert all(Path(row["media"][0]["uri"]).exists() for row in rows(last).values())
        out = last
    assert asked(emulator) == [2, 2]
    assert manifest["counts"]["reused"] == 2


def test_the_run_after_a_plan_finds_what_landed_before_it(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    """Where each run has a file of its own, a manifest says where the last one is; that of a plan has no rows."""
    before = None
    for day, plan_only in (("mon", False), ("tue", True), ("wed", True), ("thu", False)):
        how = {"source": lambda: texts(1, 2), "results_uri": str(tmp_path / f"{day}.jsonl"), "reuse": True}
        made = attempt(task(day, earlier=before), client, [], plan_only=plan_only, **how)
        before = made.run(Attempt())
        if plan_only:
            assert before["plan"]["reused"] == 2
    assert (before["counts"]["reused"], before["last_results_uri"], asked(emulator)) == (2, None, [2])


def test_a_pattern_that_no_file_matches_is_missing_like_a_file(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    there, none = tmp_path / "there.jsonl", str(tmp_path / "none-*.jsonl")
    night(client, 1, texts(1), there)
    for results in (none, [str(there), none]):
        with pytest.raises(InputError, match=r"none-\*\.jsonl\. Nothing was sent .* leave reuse out"):
            night(client, 2, texts(1), tmp_path / "rows.jsonl", reuse=Reuse(results, missing_ok=False))
    found = night(client, 3, texts(1), tmp_path / "rows.jsonl", reuse=[none, str(there)])
    assert (found["counts"]["reused"], asked(emulator)) == (1, [1])
