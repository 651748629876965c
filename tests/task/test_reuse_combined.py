"""Answers are used again whatever else a task is to do: rows, counts, what was saved, cost and manifest stay right."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import Pilot, Reuse
from airflow_provider_genai_batch.results.read_back import landed_rows
from airflow_provider_genai_batch.results.sinks import form_of
from airflow_provider_genai_batch.task.jobs import patience
from tests.client.places import gemini_config, vertex_config
from tests.task.plain_task import attempt
from tests.task.test_reuse import asked, client, left, rows, task, texts

__all__ = ["client"]
EMBEDS = "gemini-embedding-001"


class Verdict(BaseModel):
    good: bool


def night(
    client: GenAIBatchClient, number: Any, src: Any, out: Path, retry: bool = False, **how: Any
) -> dict[str, Any]:
    """Run a task to its end."""
    how = {"results_uri": str(out), "reuse": True, "source": lambda: src, **how}
    made = task(number, is_first_try=not retry)
    return attempt(made, client, [], **how).run(Attempt(look_first=retry))


def at_once(emulator: Emulator) -> int:
    return sum(
        "/models/" in call["path"] and ":generateContent" in call["path"] for call in emulator.requests
    )


def adds_up(manifest: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    """Hold a manifest against the rows that landed."""
    counts, again = manifest["counts"], [row for row in found.values() if "reused_from" in row]
    same = [row for row in found.values() if "same_as" in row]
    assert counts["total"] == len(found)
    assert counts["ok"] == sum(row["status"] == "ok" for row in found.values())
    assert (counts["reused"], counts["same"]) == (len(again), len(same))
    paid = [row for row in found.values() if not {"reused_from", "same_as"} & row.keys()]
    for name, some in (("usage", paid), ("saved", [*again, *same])):
        usage = manifest[name] if name == "usage" else manifest[name]["usage"]
        assert (usage or {"total": 0})["total"] == sum(
            (row["usage"] or {"total": 0})["total"] for row in some
        ), name
    assert sum(manifest["tiers"].values()) == len([row for row in paid if row["status"] != "missing"])
    assert (manifest["cost"]["usd"] == 0) is not any(row["usage"] for row in paid)


@pytest.mark.parametrize("how", [{}, {"tier": "standard"}, {"pilot": 2}, {"dedupe": True}], ids=str)
def test_a_task_that_died_once_its_rows_had_landed_says_what_they_cost(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, how: dict[str, Any]
) -> None:
    """It died before it could tell of its success, or was cleared after it."""
    out = tmp_path / "rows.jsonl"
    night(client, 1, texts(*range(6)), out, **how)
    tonight = texts(*range(3, 9), 8, first=50)
    whole = night(client, 2, tonight, out, **how)
    before, paid = rows(out), sum(asked(emulator)) + at_once(emulator)
    manifest = night(client, 2, tonight, out, retry=True, **how)
    assert sum(asked(emulator)) + at_once(emulator) == paid
    for counts in (whole["counts"], manifest["counts"]):  # an equal request has a row there by now
        counts["same"] = counts["reused"] = counts["same"] + counts["reused"]
    for name in ("job_names", "counts", "usage", "saved", "cost"):
        assert manifest[name] == whole[name], name
    assert {key: row["text"] for key, row in rows(out).items()} == {
        key: row["text"] for key, row in before.items()
    }
    assert {row["status"] for row in rows(out).values()} == {"ok"}


def test_rows_at_hand_land_where_what_the_service_had_of_them_is_gone(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, src = tmp_path / "rows.jsonl", tmp_path / "in.jsonl"
    asks = [
        {"key": f"k{at}", "request": {"contents": [{"parts": [{"text": f"Say {at}"}]}]}} for at in range(6)
    ]
    src.write_text("".join(json.dumps(ask) + "\n" for ask in asks))
    night(client, 1, str(src), out)
    monkeypatch.setattr(patience, "READ_PATIENCE", 0.0)
    emulator.faults.add("files.download", Fault.error(404, "gone"))
    manifest = night(client, 1, str(src), out, retry=True)
    assert manifest["counts"]["ok"] == len(rows(out)) == 6
    assert asked(emulator) == [6]


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        (".jsonl", {"pilot": Pilot(3, tier="batch")}),
        (".parquet", {"pilot": 3, "dedupe": True, "retry_failed_rows": 1}),
        (".jsonl.gz", {"tier": "standard", "dedupe": True, "keep": "response"}),
        (".parquet", {"max_requests_per_job": 3, "retry_failed_rows": 1, "dedupe": True}),
        (".jsonl", {"online_below": 100, "ordered": True, "plan_only": True}),
        (".jsonl", {"retry_tier": "standard", "retry_failed_rows": 1}),
        (".parquet", {"output_type": Verdict}),
    ],
    ids=str,
)
def test_with_all_else_a_task_may_do_it_asks_what_is_new_once(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, how: dict[str, Any], ending: str
) -> None:
    out = tmp_path / f"rows{ending}"
    how = {**how}
    plan_only = how.pop("plan_only", False)
    night(client, 1, texts(*range(8)), out, **how)
    before = sum(asked(emulator)) + at_once(emulator)
    if "retry_failed_rows" in how and "pilot" not in how:
        emulator.script(JobScript(row_errors={0: 13}))
    tonight = texts(*range(4, 14), 12, 4, first=50)
    manifest = night(client, 2, tonight, out, **how, plan_only=plan_only)
    if plan_only:
        assert (manifest["plan"]["requests"], manifest["plan"]["reused"]) == (7, 5)
        assert sum(asked(emulator)) + at_once(emulator) == before
        manifest = night(client, 2, tonight, out, **how)
    new = 6 if how.get("dedupe") else 7
    again = sum(asked(emulator)) + at_once(emulator) - before
    assert again == new + ("retry_failed_rows" in how and "pilot" not in how)
    adds_up(manifest, read(out))
    assert (manifest["counts"]["ok"], manifest["counts"]["reused"]) == (12, 5)
    manifest = night(client, 3, tonight, out, **how)
    assert sum(asked(emulator)) + at_once(emulator) - before == again
    assert (manifest["counts"]["reused"], manifest["cost"]["usd"]) == (12, 0)
    adds_up(manifest, read(out))
    assert left(tmp_path) == []


def read(out: Path) -> dict[str, dict[str, Any]]:
    with out.open("rb") as stream:
        found = [row.model_dump(mode="json") for row in landed_rows(stream, form_of(str(out)))]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


WRONG: list[dict[str, Any]] = [
    {"asked": "no digest"},
    {"asked": 5},
    {"answered_at": "yesterday"},
    {"answered_at": 5},
    {"usage": 5},
    {"usage": {"input": "many"}},
    {"text": ["a"]},
    {"finish_reason": 1},
    {"candidates": 3},
    {"media": [{"uri": 3}]},
    {"grounding": []},
    {"tier": {}},
    {"error": "bad"},
    {"model_version": 2.5},
    {"extra": 1},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_an_earlier_row_that_is_none_is_refused_before_anything_is_paid(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, change: dict[str, Any]
) -> None:
    earlier = tmp_path / "earlier.jsonl"
    night(client, 1, texts(1, 2), earlier)
    found = [*rows(earlier).values()]
    found[0] |= change
    earlier.write_text("".join(json.dumps(row) + "\n" for row in found))
    reuse = Reuse(str(earlier), max_age=timedelta(days=1))
    with pytest.raises(InputError, match=r"are there, and cannot be read: .*nothing is billed") as refused:
        night(client, 2, texts(1, 2, 3), tmp_path / "out.jsonl", reuse=reuse)
    assert "\n" not in str(refused.value)
    assert asked(emulator) == [2]
    assert [*tmp_path.iterdir()] == [earlier]


def test_an_earlier_row_of_an_unusual_answer_lands_as_it_was(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.jsonl"
    night(client, 1, texts(1, 2, 3), earlier)
    found = [*rows(earlier).values()]
    found[0] |= {"asked": "ab"}  # is no digest of any request
    found[1] |= {"status": "good", "citations": [{"uri": "https://a"}]}
    found[2] |= {
        "candidates": [{"index": 0, "text": "a", "finish_reason": "STOP"}],
        "media": [{"candidate": 0, "part": 1, "mime_type": "image/png", "uri": "/a.png"}],
    }
    earlier.write_text("".join(json.dumps(row) + "\n" for row in found))
    manifest = night(client, 2, texts(1, 2, 3), tmp_path / "out.parquet", reuse=str(earlier))
    landed = read(tmp_path / "out.parquet")
    assert (manifest["counts"]["reused"], manifest["counts"]["ok"]) == (1, 3)
    assert landed["k2"]["media"][0].items() >= found[2]["media"][0].items()
    assert landed["k2"]["candidates"] == found[2]["candidates"]
    adds_up(manifest, landed)


IMAGE = {"response_modalities": ["TEXT", "IMAGE"]}
KINDS: dict[str, dict[str, Any]] = {
    "embeddings": {"model": "gemini-embedding-001"},
    "pictures": {"model": "gemini-2.5-flash-image", "request_defaults": IMAGE, "media_uri": "media"},
    "thoughts and responses": {
        "request_defaults": {"thinking_config": {"include_thoughts": True}},
        "keep": "response",
    },
    "Claude": {"model": "claude-sonnet-4-6", "request_defaults": {"max_tokens": 20}},
    "a typed answer of Claude": {
        "model": "claude-sonnet-4-6",
        "request_defaults": {"max_tokens": 20},
        "output_type": Verdict,
    },
}


@pytest.mark.parametrize(
    ("kind", "ending"), [*zip(KINDS, ("parquet", "parquet", "jsonl", "jsonl", "parquet"), strict=True)]
)
def test_answers_of_every_kind_are_used_again_as_they_landed(
    cloud_storage: CloudStorage, tmp_path: Path, kind: str, ending: str
) -> None:
    how, out = {**KINDS[kind]}, tmp_path / f"rows.{ending}"
    if "media_uri" in how:
        how["media_uri"] = str(tmp_path / "media")
    with Emulator(storage=cloud_storage, lifecycle=Lifecycle.at_once()) as emulator:
        staging = f"gs://emulator-staging/{uuid4().hex}/"
        where = (
            gemini_config(emulator) if "Claude" not in kind else vertex_config(emulator, staging_uri=staging)
        )
        if "Claude" in kind:
            how["dest"] = staging
        with GenAIBatchClient(where) as client:
            night(client, 1, texts(1, 2, 3), out, **how)
            before = read(out)
            manifest = night(client, 2, texts(3, 2, 4, first=20), out, **how)
        assert asked(emulator) == [3, 1]
    found = read(out)
    adds_up(manifest, found)
    assert (manifest["counts"]["ok"], manifest["counts"]["reused"]) == (3, 2)
    for old, new in (("k2", "k20"), ("k1", "k21")):
        kept = before[old].keys() - {"key", "index", "reused_from"}
        assert {name: found[new][name] for name in kept} == {name: before[old][name] for name in kept}
        for medium in found[new].get("media") or ():
            assert Path(medium["uri"]).stat().st_size == medium["bytes"]
