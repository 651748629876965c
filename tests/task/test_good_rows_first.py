"""Of the rows of one request a good one counts, whatever comes first: lines, shards, twins of a job, rounds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import BatchJob, RowCounts
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from tests.client.places import MODEL, lines

OWN = [f"key-{number}" for number in range(6)]
STAMPS = [stamp(number) for number in range(6)]
ASK = Identity("a" * 64, "b" * 64)
BOTH_KEYS = pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
EITHER_ORDER = pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])


@pytest.fixture
def client(vertex: Emulator) -> Iterator[GenAIBatchClient]:
    with GenAIBatchHook().get_conn() as opened:
        yield opened


@pytest.fixture
def answered(
    vertex: Emulator, client: GenAIBatchClient, cloud_storage: CloudStorage
) -> Callable[..., BatchJob]:
    """Give a function that has requests answered by a job, as a script says, with more shards beside its own."""

    def run(keys: list[str], identity: Identity = ASK, more: dict[str, Any] = {}, **script: Any) -> BatchJob:  # noqa: B006
        vertex.script(JobScript(lifecycle=Lifecycle.at_once(), **script))
        place = f"gs://emulator-staging/{uuid4().hex}"
        source = client.upload(io.BytesIO(lines(*keys)), f"{place}/in.jsonl")
        created = client.create(
            MODEL, source, dest=f"{place}/out/", display_name=identity.display_name("x"), labels={}
        )
        job = client.get(created.name)
        for name, rows in more.items():
            uri = f"{job.output.gcs_directory}/{name}"
            cloud_storage.write(uri, [b"".join(json.dumps(row).encode() + b"\n" for row in rows)])
        return job

    return run


def asked(keys: list[str]) -> InputFacts:
    return InputFacts(
        len(keys), keyed=True, stamped=keys == STAMPS, key_sum=sum(map(key_digest, keys)) & MASK
    )


def landed(client: GenAIBatchClient, jobs: list[BatchJob], keys: list[str], out: Path) -> dict[str, Any]:
    tally = land_jobs(client, jobs, Landing(str(out), facts=asked(keys), keys=lambda: iter(keys)))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["key"] for row in rows) == keys
    assert [tally.unanswered(key, index) for index, key in enumerate(keys)] == [
        status != "ok" for _, status in sorted((row["key"], row["status"]) for row in rows)
    ]
    statuses = [row["status"] for row in rows]
    assert tally.counts == RowCounts(
        total=len(keys), **{status: statuses.count(status) for status in {*statuses}}
    )
    return {row["key"]: (row["status"], row.get("round", 0)) for row in rows}


def failed(key: str) -> dict[str, Any]:
    return {"key": key, "status": "Error: the model is overloaded", "response": {}}


@BOTH_KEYS
@pytest.mark.parametrize("shard", ["0-before.jsonl", "zzz-behind.jsonl"])
def test_of_one_job_whatever_the_order_of_its_shards(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str], shard: str
) -> None:
    job = answered(keys, more={shard: [failed(keys[1]), failed(keys[4])]}, row_errors={keys[2]: 13})
    rows = landed(client, [job], keys, tmp_path / "rows.jsonl")
    assert rows == {**dict.fromkeys(keys, ("ok", 0)), keys[2]: ("error", 0)}


@BOTH_KEYS
@EITHER_ORDER
def test_of_two_jobs_that_one_create_call_made(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str], *, backwards: bool
) -> None:
    twins = [
        answered(keys, row_errors={keys[1]: 13, keys[2]: 13}),
        answered(keys, row_errors={keys[2]: 13, keys[3]: 13}),
    ]
    out = tmp_path / "rows.jsonl"
    rows = landed(client, twins[::-1] if backwards else twins, keys, out)
    assert rows == {**dict.fromkeys(keys, ("ok", 0)), keys[2]: ("error", 0)}


def test_both_of_such_jobs_are_paid_and_their_requests_are_counted_once(
    client: GenAIBatchClient, answered: Any
) -> None:
    one, other = answered(STAMPS), answered(STAMPS)
    alone = land_jobs(client, [one], Landing())
    both = land_jobs(client, [one, other], Landing())
    assert alone.usage is not None
    assert both.usage == alone.usage + alone.usage
    assert both.counts == RowCounts(total=6, ok=6)
    assert [both.came_of(job.name) for job in (one, other)] == [6, 6]


@BOTH_KEYS
def test_of_an_earlier_round_where_the_later_one_failed(
    client: GenAIBatchClient, answered: Any, tmp_path: Path, keys: list[str]
) -> None:
    jobs = [
        answered(keys, row_errors={keys[1]: 13}),
        answered(keys[1:4], ASK.piece(None, 1), row_errors={keys[2]: 13}),
    ]
    rows = landed(client, jobs, keys, tmp_path / "rows.jsonl")
    assert rows == {**dict.fromkeys(keys, ("ok", 0)), keys[1]: ("ok", 1), keys[3]: ("ok", 1)}
