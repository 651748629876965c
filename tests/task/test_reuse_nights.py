"""However inputs are spread over nights, no request with a good answer is asked twice, and each key has one row."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
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


@settings(
    max_examples=10,
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
    good: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for number, night in enumerate(nights):
            sent.unlucky = {f"Say {name}" for name in night["unlucky"]}
            before = Counter(sent.texts)
            rows = _night(client, Path(folder), number, night)
            asked = sent.texts - before
            wanted = {f"Say {name}" for name in night["asked"]}
            assert asked == Counter(wanted - good), f"night {number}"
            assert {key: (row["status"] == "ok") for key, row in rows.items()} == {
                f"n{number}-{place}": f"Say {name}" in good or f"Say {name}" not in sent.unlucky
                for place, name in enumerate(night["asked"])
            }
            good |= wanted - sent.unlucky


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
        "reuse": f"{folder}/night-*.jsonl",
        "dedupe": True,
        "tier": night["tier"],
        "max_failed_rows": 1.0,
    }
    attempt(PlainTask(owner=owner), client, [], **how).run(Attempt())
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}
