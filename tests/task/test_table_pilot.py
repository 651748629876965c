"""A sample of a BigQuery table's rows goes first, in a job, and decides whether the others are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import PilotFailed
from airflow_provider_genai_batch.models import JobState
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from tests.operators.scenes import client
from tests.operators.test_table_to_table import change, keys_asked
from tests.task.plain_task import Deferred
from tests.task.test_table_reuse import ask, counts, emulator_settings, found, rerun, table_of

__all__ = ["emulator_settings"]

PILOT = Pilot(3, tier="batch")


@pytest.fixture
def texts(vertex: Emulator) -> Iterator[str]:
    """Give a table of eight rows, of which two have one text."""
    yield from table_of(vertex, {number: f"text {number % 7}" for number in range(8)})


def test_a_pilot_in_bigquery_counts_and_what_is_at_hand_is_not_in_it(vertex: Emulator, texts: str) -> None:
    manifest = ask(texts, pilot=PILOT, dedupe=True, max_requests_per_job=2)
    # Seven of eight are to be asked: three in the pilot and four behind it, two in a job and as it comes.
    assert {*Counter(keys_asked(vertex)).values()} == {1}
    assert counts(manifest) == {"total": 8, "ok": 8, "same": 1}
    assert manifest["plan"]["pilot"] == 3
    assert manifest["plan"]["requests"] == 7
    assert {row["row_status"] for row in found(vertex, texts).values()} == {"ok"}

    change(vertex, f"UPDATE `{texts}` SET text = CONCAT(text, '!') WHERE id > 2")
    before = Counter(keys_asked(vertex))
    manifest = ask(texts, pilot=Pilot(0.5, tier="batch"))
    assert counts(manifest) == {"total": 8, "ok": 8, "reused": 3}
    assert manifest["plan"]["pilot"] == 3
    again = Counter(keys_asked(vertex)) - before
    assert again == {f"k{number}": 1 for number in range(3, 8)}


def test_a_pilot_that_fails_in_bigquery_costs_itself_alone_and_is_judged_anew(
    vertex: Emulator, texts: str
) -> None:
    vertex.script(JobScript(row_errors=dict.fromkeys(range(3), 8)))
    with pytest.raises(PilotFailed, match=r"3 of its 3 rows.*the other 5 requests were not") as failed:
        ask(texts, run="tonight", pilot=PILOT)
    first = {*keys_asked(vertex)}
    assert len(first) == 3
    assert not vertex.bigquery.table_exists(f"{texts}_out")
    assert failed.value.manifest is not None
    assert failed.value.manifest["results_uri"] is None
    with pytest.raises(PilotFailed):
        rerun(texts, run="tonight", pilot=PILOT)
    assert len(vertex.jobs) == 1
    # Once failures are allowed, the same pilot counts, and its failed rows are asked again with no others.
    allowed = Pilot(3, tier="batch", max_failed=3)
    manifest = rerun(texts, run="tonight", pilot=allowed, retry_failed_rows=1)
    assert counts(manifest) == {"total": 8, "ok": 8}
    assert Counter(keys_asked(vertex)) == {f"k{n}": 2 if f"k{n}" in first else 1 for n in range(8)}


def test_what_a_cancelled_pilot_left_open_in_bigquery_is_asked_before_the_others(
    vertex: Emulator, texts: str
) -> None:
    vertex.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    with pytest.raises(Deferred) as left:
        ask(texts, run="tonight", pilot=PILOT, deferrable=True)
    (name,) = left.value.names
    with client() as running:
        while running.get(name).state is not JobState.RUNNING:
            pass
        running.cancel(name)
        while not running.get(name).done:
            pass
    manifest = rerun(texts, run="tonight", pilot=PILOT)
    assert counts(manifest) == {"total": 8, "ok": 8}
    sizes = [
        len([*vertex.bigquery.rows(job["input"]["bigquery"].removeprefix("bq://"))]) for job in vertex.jobs
    ]
    assert sizes == [3, 1, 5]
    assert manifest["plan"]["pilot"] == 3
