"""Landing the rows of jobs: of all rounds and pieces, read twice where once does not tell, written whole or not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ResultsNotWritten
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import BatchJob, RowCounts
from airflow_provider_genai_batch.models.jobs.identity import Identity, ask_of, round_of
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from tests.client.places import MODEL, lines

OWN = [f"key-{number}" for number in range(6)]
STAMPS = [stamp(number) for number in range(6)]
ASK = Identity("a" * 64, "b" * 64)


@pytest.fixture
def client(gemini: Emulator) -> Iterator[GenAIBatchClient]:
    with GenAIBatchHook().get_conn() as opened:
        yield opened


@pytest.fixture
def answered(gemini: Emulator, client: GenAIBatchClient) -> Callable[..., BatchJob]:
    """Give a function that has requests answered by a job, as a script says."""

    def run(keys: list[str], identity: Identity = ASK, **script: Any) -> BatchJob:
        gemini.script(JobScript(lifecycle=Lifecycle.at_once(), **script))
        name = client.upload(io.BytesIO(lines(*keys)))
        return client.get(client.create(MODEL, name, display_name=identity.display_name("x")).name)

    return run


def asked(keys: list[str]) -> InputFacts:
    return InputFacts(
        len(keys), keyed=True, stamped=keys == STAMPS, key_sum=sum(map(key_digest, keys)) & MASK
    )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def downloads(gemini: Emulator) -> int:
    return sum(one["method"] == "files.download" for one in gemini.requests)


@pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
def test_rows_that_all_came_once_are_read_once(
    gemini: Emulator, client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str]
) -> None:
    job = answered(keys)
    landing = Landing(str(tmp_path / "rows.jsonl"), facts=asked(keys), keys=lambda: pytest.fail("not needed"))
    assert land_jobs(client, [job], landing).counts == RowCounts(total=6, ok=6)
    assert downloads(gemini) == 1
    assert sorted(row["key"] for row in read(tmp_path / "rows.jsonl")) == sorted(keys)


@pytest.mark.parametrize("known", [True, False])
def test_own_keys_that_did_not_all_come_once_are_told_apart_by_a_second_reading(
    gemini: Emulator,
    client: GenAIBatchClient,
    answered: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    known: bool,
) -> None:
    job = answered(OWN, missing=["key-3"], duplicated=["key-5"], unknown_keys=["nobody"])
    landing = Landing(
        str(tmp_path / "rows.jsonl"), facts=asked(OWN), keys=lambda: iter(OWN) if known else None
    )
    with caplog.at_level(logging.WARNING, "airflow_provider_genai_batch.task.landing.land"):
        tally = land_jobs(client, [job], landing)
    assert downloads(gemini) == 2
    assert (tally.duplicates, tally.unknown) == (1, int(known))
    rows = {row["key"]: row["status"] for row in read(tmp_path / "rows.jsonl")}
    assert "1 row dropped because the key came before: key-5." in caplog.messages
    if known:
        assert rows == {**dict.fromkeys(OWN, "ok"), "key-3": "missing"}
        assert "1 row dropped because no request has the key: nobody." in caplog.messages
        assert "1 request without a row: key-3." in caplog.messages
        assert [tally.unanswered(key, None) for key in OWN] == [False, False, False, True, False, False]
    else:
        assert set(rows) == {*OWN, "nobody"} - {"key-3"}
        assert tally.unanswered("key-3", None)


def test_a_long_list_of_keys_is_shown_in_part(
    client: GenAIBatchClient, answered: Any, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [stamp(number) for number in range(20)]
    job = answered(keys, missing=keys[3:])
    land_jobs(client, [job], Landing(facts=InputFacts(20, keyed=True, stamped=True)))
    shown = ", ".join(keys[3:8])
    assert f"17 requests without a row: {shown} and 12 more." in caplog.messages


@pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_rows_of_all_rounds_become_one_row_for_each_request(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str], *, backwards: bool
) -> None:
    jobs = [
        answered(keys[:4], ASK.piece("one", 0), row_errors={keys[1]: 13, keys[2]: 13}),
        answered(keys[4:], ASK.piece("two", 0), missing=[keys[5]]),
        answered([keys[1], keys[2], keys[5]], ASK.piece(None, 1), row_errors={keys[2]: 8}),
    ]
    out = tmp_path / "rows.jsonl"
    landing = Landing(str(out), facts=asked(keys), keys=lambda: iter(keys))
    tally = land_jobs(client, jobs[::-1] if backwards else jobs, landing)
    assert {row["key"]: (row["status"], row.get("round", 0)) for row in read(out)} == {
        **dict.fromkeys(keys, ("ok", 0)),
        keys[1]: ("ok", 1),
        keys[2]: ("error", 1),
        keys[5]: ("ok", 1),
    }
    assert tally.counts == RowCounts(total=6, ok=5, error=1)
    assert [tally.unanswered(key, index) for index, key in enumerate(keys)] == [
        key == keys[2] for key in keys
    ]


def test_jobs_that_are_not_of_one_ask_have_their_own_keys(client: GenAIBatchClient, answered: Any) -> None:
    other = Identity("c" * 64, "d" * 64)
    jobs = [answered(["a", "b"]), answered(["a"], ASK.piece(None, 1)), answered(["a", "b"], other)]
    jobs[0] = jobs[0].model_copy(update={"display_name": "somebody's"})
    tally = land_jobs(client, jobs, Landing())
    assert (tally.counts, tally.duplicates) == (RowCounts(total=5, ok=5), 0)


def test_rounds_of_an_ask_that_nobody_counted_are_joined_too(client: GenAIBatchClient, answered: Any) -> None:
    jobs = [answered(["a", "b"], row_errors={"b": 13}), answered(["b"], ASK.piece(None, 1))]
    tally = land_jobs(client, jobs, Landing())
    assert (tally.counts, tally.replaced) == (RowCounts(total=2, ok=2), 1)


def test_an_ask_is_known_by_its_display_name() -> None:
    names = [ASK.piece(content, number).display_name("x") for content in (None, "one") for number in (0, 3)]
    assert len({ask_of(name) for name in names}) == 1
    assert [round_of(name) for name in names] == [0, 3, 0, 3]
    assert (ask_of("a night's work-r3"), round_of("a night's work-r3")) == (None, 0)


@pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_rows_land_in_the_order_of_the_input_with_what_they_carry(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str], form: str
) -> None:
    job = answered(keys, missing=[keys[2]], shuffle=True, seed=3)
    out = tmp_path / f"rows.{form}"
    landing = Landing(
        str(out), facts=asked(keys), keys=lambda: iter(keys), ordered=True, carry=lambda index: {"id": index}
    )
    tally = land_jobs(client, [job], landing)
    assert tally.counts == RowCounts(total=6, ok=5, missing=1)
    rows = read(out) if form == "jsonl" else pq.read_table(out).to_pylist()
    assert [(row["key"], row["index"]) for row in rows] == [(key, index) for index, key in enumerate(keys)]
    carried = [row["input"] if form == "jsonl" else json.loads(row["input"]) for row in rows]
    assert carried == [{"id": index} for index in range(6)]


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_a_landing_that_fails_leaves_what_was_there(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"rows.{form}"
    out.write_bytes(b"of yesterday")

    def broken(_: int) -> Any:
        raise OSError("the disk is full")

    landing = Landing(str(out), facts=asked(STAMPS), carry=broken)
    with pytest.raises(ResultsNotWritten, match="the disk is full"):
        land_jobs(client, [answered(STAMPS)], landing)
    assert out.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_a_download_that_breaks_off_is_reattached_and_no_row_is_lost_or_doubled(
    gemini: Emulator, client: GenAIBatchClient, answered: Any, tmp_path: Path, form: str
) -> None:
    keys = [stamp(number) for number in range(400)]
    job = answered(keys)
    gemini.faults.add("files.download", Fault.truncated())
    landing = Landing(str(tmp_path / f"rows.{form}"), facts=InputFacts(400, keyed=True, stamped=True))
    tally = land_jobs(client, [job], landing)
    assert (tally.counts, tally.duplicates) == (RowCounts(total=400, ok=400), 0)
    assert downloads(gemini) == 2
