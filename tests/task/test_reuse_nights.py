"""However inputs are spread over nights, no request with a good answer is asked twice, and each key has one row."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import Reuse
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.task.port import Owner
from tests.task.plain_task import PlainTask, attempt
from tests.task.test_reuse import Sent

TEXTS = st.integers(0, 7)
NIGHTS = st.lists(
    st.fixed_dictionaries(
        {
            "asked": st.lists(TEXTS, min_size=1, max_size=9),
            "unlucky": st.frozensets(TEXTS, max_size=3),
            "tier": st.sampled_from(["batch", "standard"]),
            "model": st.sampled_from(["gemini-2.5-flash", "gemini-2.5-flash", "gemini-2.5-pro"]),
            "dedupe": st.booleans(),
            "max_age": st.sampled_from([None, timedelta(days=1)]),
            "harm": st.sampled_from(["none", "aged", "failed", "lost"]),
            "harmed": st.frozensets(st.integers(0, 8), max_size=4),
        }
    ),
    min_size=2,
    max_size=4,
)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def emulator_settings(sent: Sent) -> dict[str, Any]:
    """Let the model keep what it is asked."""
    return {"answer": sent, "lifecycle": Lifecycle.at_once()}


@pytest.fixture
def client(emulator: Emulator) -> Iterator[GenAIBatchClient]:
    """Give a client that no Airflow connection was read for."""
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)) as running:
        yield running


def _drawn(asked: list[int], **how: Any) -> dict[str, Any]:
    usual = {"unlucky": frozenset(), "tier": "batch", "model": "gemini-2.5-flash", "dedupe": False}
    return {"asked": asked, **usual, "max_age": None, "harm": "none", "harmed": frozenset({0}), **how}


@example(
    nights=[
        _drawn([1, 2, 3], harm="aged"),
        _drawn([4, 3], harm="lost"),
        _drawn([1, 2, 4, 4], max_age=timedelta(days=1), dedupe=True, harm="failed"),
        _drawn([1, 4, 1, 3], model="gemini-2.5-pro", tier="standard"),
    ]
)
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(nights=NIGHTS)
def test_no_request_with_a_good_answer_is_asked_twice_and_each_key_has_one_row(
    sent: Sent, client: GenAIBatchClient, nights: list[dict[str, Any]]
) -> None:
    sent.texts.clear()
    with tempfile.TemporaryDirectory() as folder:
        for number, night in enumerate(nights):
            sent.unlucky = {f"Say {name}" for name in night["unlucky"]}
            good = _good(Path(folder), nights[:number], night)
            before = Counter(sent.texts)
            rows = _night(client, Path(folder), number, night)
            wanted = Counter(f"Say {name}" for name in night["asked"] if name not in good)
            asked = Counter({*wanted}) if night["dedupe"] else wanted
            assert sent.texts - before == asked, f"night {number}"
            assert {key: row["status"] == "ok" for key, row in rows.items()} == {
                f"n{number}-{place}": name in good or name not in night["unlucky"]
                for place, name in enumerate(night["asked"])
            }


def _good(folder: Path, nights: list[dict[str, Any]], tonight: dict[str, Any]) -> set[int]:
    """Do harm to the results of the last night; return the texts that all results answer for tonight."""
    good: set[int] = set()
    now = datetime.now(timezone.utc)
    old, since = ((now - timedelta(days=days)).isoformat() for days in (2, 1))
    harm: dict[str, str] = (
        {"answered_at": old} if nights and nights[-1]["harm"] == "aged" else {"status": "invalid"}
    )
    for number, night in enumerate(nights):
        path = folder / f"night-{number}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if number == len(nights) - 1 and night["harm"] != "none":
            harmed = [row for place, row in enumerate(rows) if place in night["harmed"]]
            for row in harmed:
                row.update(harm)
            if night["harm"] == "lost":
                rows = [row for row in rows if row not in harmed]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        if night["model"] == tonight["model"]:
            fresh = [row for row in rows if tonight["max_age"] is None or row["answered_at"] > since]
            places = [int(row["key"].partition("-")[2]) for row in fresh if row["status"] == "ok"]
            good |= {night["asked"][place] for place in places}
    return good


def _night(
    client: GenAIBatchClient, folder: Path, number: int, night: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Let a night pass; return the rows that it landed, by key."""
    src = [
        {"key": f"n{number}-{place}", "contents": f"Say {name}"} for place, name in enumerate(night["asked"])
    ]
    path = folder / f"night-{number}.jsonl"
    owner = Owner(task_key("etl", "ask", f"{folder} {number}", -1, None), "etl.ask", {}, None)
    how = {
        "source": lambda: src,
        "results_uri": str(path),
        "reuse": Reuse(f"{folder}/night-*.jsonl", max_age=night["max_age"]),
        "dedupe": night["dedupe"],
        "model": night["model"],
        "tier": night["tier"],
        "max_failed_rows": 1.0,
    }
    attempt(PlainTask(owner=owner), client, [], **how).run(Attempt())
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}
