"""Earlier results answer requests of today, once and for good, whatever becomes of the task and of the results."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import Reuse
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.port import Owner
from tests.task.plain_task import Deferred, PlainTask, attempt


@dataclass
class Sent:
    """What the model was asked."""

    texts: Counter[str] = field(default_factory=Counter)
    unlucky: set[str] = field(default_factory=set)
    """Prompts that it has no answer to."""

    def __call__(self, request: dict[str, Any]) -> str:
        text = request["contents"][0]["parts"][0]["text"]
        self.texts[text] += 1
        return "" if text in self.unlucky else f"{text}!"


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def emulator_settings(sent: Sent) -> dict[str, Any]:
    """Let the model keep what it is asked."""
    return {"answer": sent}


@pytest.fixture
def client(emulator: Emulator) -> Iterator[GenAIBatchClient]:
    """Give a client that no Airflow connection was read for."""
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)) as running:
        yield running


def task(run: Any, **how: Any) -> PlainTask:
    """Return a task instance of a run."""
    return PlainTask(owner=Owner(task_key("etl", "ask", str(run), -1, None), "etl.ask", {}, None), **how)


def texts(*names: Any, first: int = 0) -> list[dict[str, Any]]:
    return [{"key": f"k{first + place}", "contents": f"Say {name}"} for place, name in enumerate(names)]


def rows(path: Path) -> dict[str, dict[str, Any]]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    found = [json.loads(line) for line in lines]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def asked(emulator: Emulator) -> list[int]:
    """Give the number of requests of each job."""
    return [int(job["rows"]["total"]) for job in emulator.jobs]


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".asked-" in path.name]


class Died(Exception):
    """The worker is gone."""


def die_once_submitted(doomed: PlainTask) -> PlainTask:
    """Let an attempt end when its first job is there."""

    def die(*_: Any) -> None:
        raise Died

    doomed.show_links = die  # type: ignore[method-assign]
    return doomed


@pytest.mark.parametrize("harm", ["nothing", "emptied", "grown", "forgotten"])
def test_a_retry_leaves_out_the_same_requests_whatever_became_of_the_earlier_results(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, harm: str
) -> None:
    out = tmp_path / "rows.jsonl"
    how: dict[str, Any] = {"results_uri": str(out), "reuse": True, "max_requests_per_job": 3}
    attempt(task(1), client, texts(*range(6)), **how).run(Attempt())
    before = rows(out)
    tonight = texts(*range(3, 12), first=50)
    with pytest.raises(Died):
        attempt(die_once_submitted(task(2)), client, tonight, **how).run(Attempt())
    assert asked(emulator) == [3, 3, 3]  # of six in two jobs
    assert len(left(tmp_path)) == 1
    if harm == "emptied":
        out.write_bytes(b"")
    elif harm == "grown":
        more = {**how, "results_uri": str(tmp_path / "more.jsonl"), "reuse": None, "dedupe": True}
        attempt(task("other"), client, texts(9, 10), **more).run(Attempt())
        out.write_bytes(out.read_bytes() + (tmp_path / "more.jsonl").read_bytes())
    elif harm == "forgotten":
        (tmp_path / left(tmp_path)[0]).unlink()
    manifest = attempt(task(2, is_first_try=False), client, tonight, **how).run(Attempt(look_first=True))
    own = [
        number for job, number in zip(emulator.jobs, asked(emulator), strict=True) if "etl.ask" in str(job)
    ]
    assert sum(own) == 6 + 6 + (2 if harm == "grown" else 0)
    assert manifest["counts"]["ok"] == manifest["counts"]["total"] == 9
    assert manifest["counts"]["reused"] == 3
    found = rows(out)
    assert {key: row["text"] for key, row in found.items()} == {
        f"k{50 + place}": found[f"k{50 + place}"]["text"] for place in range(9)
    }
    assert [found[f"k{50 + place}"]["text"] for place in range(3)] == [
        before[f"k{place + 3}"]["text"] for place in range(3)
    ]
    assert left(tmp_path) == []


def test_an_attempt_that_finds_other_answers_at_hand_takes_up_the_jobs_of_the_one_before(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    earlier, out = tmp_path / "earlier.jsonl", tmp_path / "rows.jsonl"
    how: dict[str, Any] = {"reuse": str(earlier), "results_uri": str(out)}
    attempt(task(1), client, texts(*range(6)), **{**how, "results_uri": str(earlier)}).run(Attempt())
    with pytest.raises(Died):
        attempt(die_once_submitted(task(2)), client, texts(*range(9)), **how).run(Attempt())
    assert asked(emulator) == [6, 3]
    (tmp_path / left(tmp_path)[0]).unlink()
    lines = earlier.read_bytes().splitlines(keepends=True)
    earlier.write_bytes(b"".join(lines[:4]))  # by another hand
    manifest = attempt(task(2, is_first_try=False), client, texts(*range(9)), **how).run(
        Attempt(look_first=True)
    )
    assert asked(emulator) == [6, 3, 2]
    assert manifest["counts"]["ok"] == manifest["counts"]["total"] == 9
    assert len(rows(out)) == 9


def test_dedupe_that_is_given_to_a_retry_asks_nothing_twice(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"reuse": True, "results_uri": str(tmp_path / "rows.jsonl")}
    with pytest.raises(Died):
        attempt(die_once_submitted(task(1)), client, texts(1, 2, 1, 2, 3), **how).run(Attempt())
    for _ in range(2):
        manifest = attempt(task(1, is_first_try=False), client, texts(1, 2, 1, 2, 3), dedupe=True, **how).run(
            Attempt(look_first=True)
        )
    assert asked(emulator) == [5]
    assert manifest["counts"]["ok"] == len(rows(tmp_path / "rows.jsonl")) == 5


def test_after_a_deferral_rows_come_from_where_they_were_kept(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl.gz"
    how: dict[str, Any] = {"results_uri": str(out), "reuse": True, "dedupe": True}
    attempt(task(1), client, texts(1, 2, 1), **how).run(Attempt())
    emulator.script(JobScript(row_errors={0: 13}))
    how |= {"deferrable": True, "retry_failed_rows": 1}
    tonight = texts(3, 2, 3, 1, first=7)
    with pytest.raises(Deferred) as first:
        attempt(task(2), client, tonight, **how).run(Attempt())
    out.unlink()
    with pytest.raises(Deferred) as second:
        attempt(task(2), client, tonight, **how).complete(ended(client, first.value))
    manifest = attempt(task(2), client, tonight, **how).complete(ended(client, second.value))
    assert asked(emulator) == [2, 1, 1]
    assert {name: manifest["counts"][name] for name in ("ok", "reused", "same")} == {
        "ok": 4,
        "reused": 2,
        "same": 1,
    }
    assert manifest["tiers"] == {"batch": 1}  # of four rows one was asked
    found = rows(out)
    assert [found[f"k{number}"].get("same_as") for number in (7, 8, 9, 10)] == [None, None, "k7", None]
    assert found["k9"]["round"] == found["k7"]["round"] == 1
    assert len({found[key]["text"] for key in found}) == 3


def ended(client: GenAIBatchClient, left: Deferred) -> dict[str, Any]:
    """Return the event of a trigger for jobs that have ended."""
    for name in left.names:
        while not client.get(name).done:
            clock.sleep(0.01)
    return {**Ending(Why.ENDED, {}).as_dict(), "memo": left.memo}


def landed(client: GenAIBatchClient, out: Path, *names: Any, **how: Any) -> None:
    how = {"reuse": True, "results_uri": str(out), **how}
    attempt(task(out), client, texts(*names), **how).run(Attempt())


def reused(client: GenAIBatchClient, out: Path, reuse: Any, *names: Any, **how: Any) -> dict[str, Any]:
    how = {"reuse": reuse, "results_uri": str(out), **how}
    made = task(out, earlier=how.pop("earlier", None))
    return attempt(made, client, texts(*names), **how).run(Attempt())


def test_earlier_results_are_found_wherever_reuse_names_them(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    folder = tmp_path / "nights"
    landed(client, folder / "1.jsonl", 1, 2)
    landed(client, folder / "2.jsonl.gz", 3)
    landed(client, folder / "3.parquet", 4, 5)
    (folder / "1.jsonl.asked-0").write_bytes(b"no rows")
    out = tmp_path / "out"
    glob = str(folder / "*")
    manifest = {"backend": "gemini", "state": "JOB_STATE_SUCCEEDED", "job_names": ["batches/a"]}
    manifest["results_uri"] = str(folder / "3.parquet")
    forms: list[tuple[Any, int]] = [
        (glob, 5),
        ([str(folder / "1.jsonl"), folder / "2.jsonl.gz"], 3),
        (manifest, 2),
        (json.dumps(manifest), 2),
        (manifest | {"results_uri": str(folder / "*.jsonl*")}, 3),  # a dataset, as a group leaves one
        (str(folder / "none.jsonl"), 0),
        (Reuse(glob, max_age=timedelta(days=1)), 5),
    ]
    for number, (form, count) in enumerate(forms):
        found = reused(client, out / f"{number}.parquet", form, *range(1, 7))
        assert found["counts"]["reused"] == count, form
        assert found["counts"]["ok"] == 6
    found = reused(client, out / "dated.jsonl", True, *range(1, 7), earlier=manifest)
    assert found["counts"]["reused"] == 2
    assert {row.get("reused_from") for row in rows(out / "dated.jsonl").values()} == {
        None,
        manifest["results_uri"],
    }
    assert left(out) == []


def test_rows_that_landed_in_a_table_answer_no_rows_of_a_file(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out, table = tmp_path / "rows.jsonl", "bq://project.nights.rows"
    landed(client, out, 1, 2)
    manifest = {"backend": "gemini", "state": "JOB_STATE_SUCCEEDED", "job_names": ["batches/a"]}
    manifest |= {"results_uri": table}
    for named in (manifest, json.dumps(manifest), table, [str(out), table]):
        with pytest.raises(
            InputError, match=r"rows in tables cannot answer them\. Nothing was sent and nothing is billed"
        ):
            reused(client, tmp_path / "other.jsonl", named, 1, 2)
    with pytest.raises(InputError, match=r"landed nowhere.*Name the manifest of a task with results_uri"):
        reused(client, tmp_path / "other.jsonl", manifest | {"results_uri": None}, 1)
    found = reused(client, out, True, 1, 2, 3, earlier=manifest)  # since then the task lands in a file
    assert (found["counts"]["reused"], found["counts"]["ok"]) == (2, 3)
    assert asked(emulator) == [2, 1]


def test_columns_are_of_the_same_types_where_nothing_is_left_to_ask(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out = tmp_path / "rows.parquet"
    landed(client, out, 1, 2)
    before = pq.read_schema(out)
    assert reused(client, out, str(out), 1, 2)["counts"]["reused"] == 2
    assert pq.read_schema(out) == before
    assert len(emulator.jobs) == 1


def test_answers_of_another_model_at_the_deadline_are_not_used_again(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out, soon = tmp_path / "rows.jsonl", datetime.now(timezone.utc) + timedelta(seconds=150)
    late = ReadyBy(soon, then="standard", model="gemini-2.5-pro")
    landed(client, out, 1, 2, ready_by=late)
    assert emulator.jobs == []
    assert reused(client, out, str(out), 1, 2)["counts"]["reused"] == 0


def test_what_is_there_and_cannot_be_read_is_said_before_anything_is_paid(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    good = tmp_path / "good.jsonl"
    landed(client, good, 1)
    for name, data in {
        "text.jsonl": b"once upon a time\n",
        "other.jsonl": b'{"id": 1}\n',
        "cut.jsonl.gz": gzip.compress(good.read_bytes() * 1000)[:-20],
        "cut.parquet": b"PAR1",
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=r"are there, and cannot be read.*nothing is billed"):
            reused(client, tmp_path / "out.jsonl", str(tmp_path / name), 1, 2)
    with pytest.raises(InputError, match="are not there"):
        reused(client, tmp_path / "out.jsonl", Reuse(str(tmp_path / "none.jsonl"), missing_ok=False), 1)
    for wrong in ({"reuse": 5}, {"reuse": True, "results_uri": None}, {"dedupe": True, "results_uri": None}):
        with pytest.raises(ConfigurationError):
            attempt(PlainTask(), client, ["a"], **{"results_uri": str(good), **wrong})
    assert asked(emulator) == [1]
    assert left(tmp_path) == []


def test_an_answer_that_is_not_as_good_as_one_of_today_is_asked_again(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    earlier, out = tmp_path / "earlier.jsonl", tmp_path / "out.jsonl"
    landed(client, earlier, 1, 2, 3, 4)
    found = [json.loads(line) for line in earlier.read_bytes().splitlines()]
    found[0]["finish_reason"] = "MAX_TOKENS"
    found[1]["status"] = "invalid"
    found[2]["answered_at"] = (datetime.now(timezone.utc) - timedelta(days=9)).isoformat()
    earlier.write_text("".join(json.dumps(row) + "\n" for row in found))
    for reuse, how, count in (
        (str(earlier), {}, 3),
        (str(earlier), {"truncated": "invalid"}, 2),
        (str(earlier), {"keep": "response"}, 0),
        (Reuse(str(earlier), max_age=timedelta(days=8)), {}, 2),
        (str(earlier), {"model": "gemini-2.5-pro"}, 0),
        (str(earlier), {"request_defaults": {"temperature": 0.5}}, 0),
    ):
        counts = reused(client, out, reuse, 1, 2, 3, 4, **how)["counts"]
        assert (counts["reused"], counts["ok"]) == (count, 4), (reuse, how)


def test_the_columns_of_a_table_land_with_rows_of_earlier_results(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    out, table = tmp_path / "rows.jsonl", tmp_path / "in.csv"
    how: dict[str, Any] = {"prompt": "Good? {text}", "results_uri": str(out), "reuse": True, "ordered": True}
    for night, lines in enumerate(("1,a\n2,b\n", "7,b\n8,c\n9,a\n")):
        table.write_text("id,text\n" + lines)
        attempt(task(night), client, [], **how, source=lambda: str(table)).run(Attempt())
    assert asked(emulator) == [2, 1]
    landed_rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["input"] for row in landed_rows] == [
        {"id": "7", "text": "b"},
        {"id": "8", "text": "c"},
        {"id": "9", "text": "a"},
    ]
    assert [("reused_from" in row) for row in landed_rows] == [True, False, True]


@pytest.mark.parametrize("seed", range(3))
def test_over_any_nights_nothing_answered_is_asked_twice_and_each_key_has_one_row(
    emulator: Emulator, client: GenAIBatchClient, sent: Sent, tmp_path: Path, seed: int
) -> None:
    chance, out = random.Random(seed), tmp_path / "rows.jsonl"
    answered: set[str] = set()
    for night in range(4):
        names = [chance.randrange(12) for _ in range(chance.randrange(1, 15))]
        sent.texts.clear()
        sent.unlucky = {f"Say {chance.randrange(12)}"} if chance.random() < 0.5 else set()
        how: dict[str, Any] = {"results_uri": str(out), "reuse": True, "dedupe": True, "max_failed_rows": 1.0}
        attempt(task(night), client, texts(*names, first=100 * night), **how).run(Attempt())
        found = rows(out)
        assert {*found} == {f"k{100 * night + place}" for place in range(len(names))}
        assert all(number == 1 for number in sent.texts.values())
        assert not answered & {*sent.texts}
        good = [key for key, row in found.items() if row["status"] == "ok"]
        answered = {f"Say {names[int(key[1:]) - 100 * night]}" for key in good}
        assert {row["text"] for row in found.values() if row["status"] == "ok"} == {
            f"{one}!" for one in answered
        }
    assert len(emulator.jobs) <= 4
