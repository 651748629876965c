"""What a task has paid for counts in its next attempts, whatever became of what was found, or of its pilot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import PilotFailed
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import Pilot
from tests.task.plain_task import attempt
from tests.task.test_reuse import (
    Died,
    Sent,
    asked,
    client,
    die_once_submitted,
    emulator_settings,
    left,
    rows,
    sent,
    task,
    texts,
)
from tests.task.test_reuse_combined import at_once, night

__all__ = ["client", "emulator_settings", "sent"]


@pytest.mark.parametrize("how", [{}, {"tier": "standard"}, {"pilot": 2}, {"dedupe": True}], ids=str)
def test_a_cleared_task_whose_failed_rows_are_allowed_pays_nothing_again(
    sent: Sent, emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, how: dict[str, Any]
) -> None:
    out = tmp_path / "rows.jsonl"
    sent.unlucky = {"Say 1", "Say 4"}
    how = {"max_failed_rows": 0.5, **how}
    whole = night(client, 1, texts(*range(6)), out, **how)
    paid = sum(asked(emulator)) + at_once(emulator)
    manifest = night(client, 1, texts(*range(6)), out, retry=True, **how)
    assert sum(asked(emulator)) + at_once(emulator) == paid
    for name in ("usage", "cost", "tiers"):
        assert manifest[name] == whole[name], name
    assert (manifest["counts"]["ok"], manifest["counts"]["invalid"]) == (4, 2)


@pytest.mark.parametrize("earlier", ["as before", "changed"])
@pytest.mark.parametrize("how", [{}, {"dedupe": True}], ids=str)
def test_the_answers_of_a_pilot_count_where_what_was_found_is_gone(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, how: dict[str, Any], earlier: str
) -> None:
    before, out = tmp_path / "before.jsonl", tmp_path / "rows.jsonl"
    night(client, 1, texts(*range(4)), before)
    paid, tonight = sum(asked(emulator)), texts(*range(3, 9), 8, first=50)
    how = {"pilot": 2, **how, "reuse": str(before), "results_uri": str(out), "source": lambda: tonight}
    with pytest.raises(Died):
        attempt(die_once_submitted(task(2)), client, [], **how).run(Attempt())
    (tmp_path / left(tmp_path)[0]).unlink()
    if earlier == "changed":
        before.write_bytes(b"")
    manifest = attempt(task(2, is_first_try=False), client, [], **how).run(Attempt(look_first=True))
    assert manifest["counts"]["ok"] == len(rows(out)) == 7
    again = sum(asked(emulator)) + at_once(emulator) - paid
    assert again == (5 if "dedupe" in how else 6) + (earlier == "changed")


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_a_pilot_is_judged_where_what_was_found_is_gone(
    sent: Sent, emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, tier: str
) -> None:
    before, out = tmp_path / "before.jsonl", tmp_path / "rows.jsonl"
    night(client, 1, texts(*range(4)), before)
    tonight = texts(*range(3, 12), first=50)
    sent.unlucky = {f"Say {number}" for number in range(3, 12)}
    how = {"pilot": Pilot(2, tier=tier), "reuse": str(before), "results_uri": str(out)}
    with pytest.raises(PilotFailed):
        night(client, 2, tonight, **how, out=out)
    (tmp_path / left(tmp_path)[0]).unlink()
    before.write_bytes(b"")
    with pytest.raises(PilotFailed):
        night(client, 2, tonight, retry=True, **how, out=out)
    assert sum(asked(emulator)) + at_once(emulator) <= 4 + 2 + 2


@pytest.mark.parametrize("pilot", [4, Pilot(4, tier="batch")], ids=str)
def test_a_retry_that_is_given_a_pilot_takes_up_the_job_with_all_requests(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, pilot: Any
) -> None:
    out = tmp_path / "rows.jsonl"
    night(client, 1, texts(*range(20)), out, reuse=None)
    manifest = night(client, 1, texts(*range(20)), out, retry=True, reuse=None, pilot=pilot)
    assert (asked(emulator), at_once(emulator), manifest["counts"]["ok"]) == ([20], 0, 20)


def test_a_retry_with_a_larger_pilot_is_judged_by_its_own_rows(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    src = texts(*range(20))
    doomed = die_once_submitted(task(1))
    with pytest.raises(Died):
        attempt(doomed, client, src, pilot=Pilot(4, tier="batch"), results_uri=str(out)).run(Attempt())
    manifest = night(client, 1, src, out, retry=True, reuse=None, pilot=Pilot(8, tier="batch"))
    assert (asked(emulator), manifest["counts"]["ok"]) == ([4, 8, 12], 20)
