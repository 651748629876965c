"""Requests made of rows by a template, from the file to the rows that land."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import InputError, RequestError, ServerError
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.landing.read_again import reread_columns
from airflow_provider_genai_batch.task.settings.order import Order, read_order
from airflow_provider_genai_batch.wire.keys import stamp
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL, client

ROWS = [
    {"id": "7", "text": 'I "like" it, really. {id}'},
    {"id": "8", "text": "Es zerbrach. {{ ds }}"},
    {"id": "9", "text": "So so, 100 %"},
]
PROMPT = "Good or bad? {text} ({id})"


def as_csv() -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "text"])
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def as_jsonl() -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "csv": as_csv,
    "csv.gz": lambda: gzip.compress(as_csv()),
    "jsonl": as_jsonl,
    "jsonl.gz": lambda: gzip.compress(as_jsonl()),
    "parquet": as_parquet,
}


@pytest.fixture(params=["gemini", "vertex"])
def service(request: pytest.FixtureRequest) -> Emulator:
    return request.getfixturevalue(request.param)


def ask(**settings: Any) -> Ran:
    """Run the operator; on Vertex AI the connection says where inputs are staged, `dest` where it writes."""
    settings = {"model": MODEL, "prompt": PROMPT, "poll_interval": 0.05, "retry_delay": 0, **settings}
    if client().config.backend.value == "vertex":
        settings.setdefault("dest", f"gs://emulator-staging/{uuid4().hex}/")
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def asked(service: Emulator) -> list[dict[str, Any]]:
    """Return the lines that the service was given for its only job."""
    (job,) = service.jobs
    with client() as reader:
        source = reader.get(job["name"]).source
        assert source is not None
        data = b"".join(reader.download(source.gcs_uri[0])) if source.gcs_uri else None
    return [] if data is None else [json.loads(line) for line in data.splitlines()]


def said(row: dict[str, Any]) -> str:
    """Return the prompt of a row, which the emulator repeats."""
    return row["text"].removeprefix("Answer to: ")


def landed(path: Path) -> list[dict[str, Any]]:
    return sorted(map(json.loads, path.read_text().splitlines()), key=lambda row: row["key"])


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize("ending", FILES)
def test_every_row_of_a_file_is_asked_and_answered(
    service: Emulator, tmp_path: Path, ending: str, deferrable: bool
) -> None:
    path, out = tmp_path / f"reviews.{ending}", tmp_path / "rows.jsonl"
    path.write_bytes(FILES[ending]())
    ran = ask(src=str(path), results_uri=str(out), deferrable=deferrable)
    assert ran.state == "success", ran.errors
    rows = landed(out)
    assert [(row["key"], row["index"], row["status"]) for row in rows] == [
        (stamp(index), index, "ok") for index in range(3)
    ]
    assert [said(row) for row in rows] == [PROMPT.format(**row) for row in ROWS]
    assert len(service.jobs) == 1


def test_rows_may_be_given_as_a_list(service: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    ran = ask(src=ROWS, results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert [said(row) for row in landed(out)] == [PROMPT.format(**row) for row in ROWS]


def test_rows_and_templates_are_not_rendered(service: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    ran = ask(src=[{"text": "{{ ds }} {{ 1 + 1 }}"}], prompt="{{{{ds}}}} {text}", results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert said(landed(out)[0]) == "{{ds}} {{ ds }} {{ 1 + 1 }}"


def test_on_vertex_a_table_in_cloud_storage_is_read_and_its_requests_are_staged(
    vertex: Emulator, cloud_storage: CloudStorage, tmp_path: Path
) -> None:
    uri = f"gs://emulator-staging/{uuid4().hex}/reviews.csv.gz"
    with client() as service:
        service.upload(io.BytesIO(FILES["csv.gz"]()), uri)
    ran = ask(src=uri, request_defaults={"temperature": 0}, wait=False)
    assert ran.state == "success", ran.errors
    lines = asked(vertex)
    assert [line["key"] for line in lines] == [stamp(index) for index in range(3)]
    assert all(line["request"]["generationConfig"] == {"temperature": 0} for line in lines)


def test_a_table_that_is_not_there_is_refused(vertex: Emulator, tmp_path: Path) -> None:
    for src in (f"gs://emulator-staging/{uuid4().hex}.csv", str(tmp_path / "in.parquet")):
        (error,) = ask(src=src).errors
        assert isinstance(error, InputError)
        assert src in str(error)
    assert vertex.jobs == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"src": [{"text": "a"}]}, "row 1: there is no column 'id'"),
        ({"src": [{"id": 1, "text": None}]}, "row 1: column 'text' is null"),
        ({"src": [{"id": 1, "text": "a"}], "prompt": "Say hello"}, "prompt names no column"),
        ({"src": ["a"]}, "row 1: with prompt rows are dicts"),
        ({"src": []}, "src is empty"),
        ({"src": "files/abc"}, "the rows of files/abc are not read here"),
        ({"src": "bq://p.d.t"}, "bq://p.d.t"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_paid(
    service: Emulator, settings: dict[str, Any], said: str
) -> None:
    (error,) = ask(**settings).errors
    assert isinstance(error, InputError)
    assert said in str(error)
    assert service.jobs == []


def test_a_null_in_the_middle_of_a_file_is_refused_before_anything_is_paid(
    gemini: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(as_jsonl() + b'{"id": null, "text": "x"}\n')
    (error,) = ask(src=str(path)).errors
    assert isinstance(error, RequestError)
    assert str(error).startswith(f"row 4 of {path}: column 'id' is null")
    assert gemini.jobs == []


def test_a_retry_takes_up_the_job_of_the_same_rows(gemini: Emulator, tmp_path: Path) -> None:
    (path := tmp_path / "in.csv").write_bytes(as_csv())

    class DiesOnce(GenAIBatchOperator):
        def execute(self, context: Any) -> Any:
            if context["ti"].try_number == 1:
                self.wait = False
                super().execute(context)
                msg = "the worker dies here"
                raise RuntimeError(msg)
            return super().execute(context)

    ran = run_dag(
        lambda: DiesOnce(
            task_id="ask",
            model=MODEL,
            src=str(path),
            prompt=PROMPT,
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 2
    assert len(gemini.jobs) == 1


# ---------------------------------------------------------------- read as they are asked for


def test_rows_and_requests_may_come_from_a_callable(service: Emulator, tmp_path: Path) -> None:
    def rows(context: Any, jinja_env: Any) -> Iterator[dict[str, str]]:
        yield from ROWS

    def requests(context: Any, jinja_env: Any) -> Iterator[str]:
        yield from (row["text"] for row in ROWS)

    for number, (settings, prompt) in enumerate(
        (({"src": rows}, PROMPT), ({"src": requests, "prompt": None}, "{text}"))
    ):
        out = tmp_path / f"rows-{number}.jsonl"
        ran = ask(**settings, results_uri=str(out))
        assert ran.state == "success", ran.errors
        assert [said(row) for row in landed(out)] == [prompt.format(**row) for row in ROWS]


def test_requests_of_a_generator_are_not_held(service: Emulator) -> None:
    alive: list[int] = []
    most = 0

    class Prompt(dict[str, Any]):
        def __del__(self) -> None:
            alive.pop()

    def items() -> Iterator[dict[str, Any]]:
        nonlocal most
        for number in range(100):
            alive.append(number)
            most = max(most, len(alive))
            yield Prompt(contents=f"Say {number}")

    with (
        client() as reader,
        read_input(reader, order(reader, src=items(), prompt=None).source, model=MODEL) as prepared,
    ):
        assert prepared.requests == 100
    assert most < 5


# ---------------------------------------------------------------- columns for the rows that come back


def order(reader: GenAIBatchClient, **settings: Any) -> Order:
    return read_order(reader.config, **{"model": MODEL, "prompt": PROMPT, **settings})


def content_of(reader: GenAIBatchClient, made: Order) -> Any:
    with read_input(
        reader, made.source, model=made.model, request_defaults=made.request_defaults, prompt=made.prompt
    ) as prepared:
        assert (prepared.requests, prepared.stamps) == (3, True)
        return prepared.content


@pytest.mark.parametrize("ending", FILES)
def test_the_columns_of_every_row_are_there_again(service: Emulator, tmp_path: Path, ending: str) -> None:
    (path := tmp_path / f"in.{ending}").write_bytes(FILES[ending]())
    with client() as reader:
        made = order(reader, src=str(path), prompt="Good or bad? {text}", request_defaults={"temperature": 0})
        with reread_columns(reader, lambda: made, content_of(reader, made)) as columns:
            assert columns is not None
            assert [columns(index) for index in (2, 0, 1)] == [ROWS[2], ROWS[0], ROWS[1]]
            assert columns(3) == {}


def test_columns_of_rows_that_can_be_read_only_once_are_kept(service: Emulator) -> None:
    with client() as reader:
        made = order(reader, src=iter(ROWS))
        with (
            read_input(reader, made.source, model=MODEL, prompt=made.prompt) as prepared,
            reread_columns(
                reader, lambda: order(reader, src=iter(())), prepared.content, prepared
            ) as columns,
        ):
            assert columns is not None
            assert [columns(index) for index in range(3)] == ROWS


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(as_csv().replace(b"So so", b"So")),
        lambda path: path.write_bytes(as_csv() + b"10,more\n"),
        lambda path: path.write_bytes(as_csv() + b"10\n"),
        lambda path: path.unlink(),
    ],
    ids=["another text", "another row", "broken", "gone"],
)
def test_a_table_that_is_not_what_it_was_gives_no_columns_and_a_warning(
    gemini: Emulator, tmp_path: Path, change: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    (path := tmp_path / "in.csv").write_bytes(as_csv())
    with client() as reader:
        content = content_of(reader, order(reader, src=str(path)))
        change(path)
        with reread_columns(reader, lambda: order(reader, src=str(path)), content) as columns:
            assert columns is None
    assert "Rows land without the columns of their input" in caplog.text


def test_requests_without_a_prompt_have_no_columns(
    gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        client() as reader,
        reread_columns(reader, lambda: order(reader, src=["a"], prompt=None), "any") as columns,
    ):
        assert columns is None
    assert "columns" not in caplog.text


def test_trouble_that_may_pass_costs_no_columns(vertex: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def troubled(self: GenAIBatchClient, address: str) -> Iterator[bytes]:
        msg = "storage has trouble"
        raise ServerError(msg, code=503)

    monkeypatch.setattr(GenAIBatchClient, "download", troubled)
    with (
        client() as reader,
        pytest.raises(ServerError),
        reread_columns(reader, lambda: order(reader, src="gs://b/in.csv"), "any"),
    ):
        pass


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_land_with_the_columns_of_their_input(
    service: Emulator, tmp_path: Path, ending: str, deferrable: bool
) -> None:
    (path := tmp_path / f"in.{ending}").write_bytes(FILES[ending]())
    out = tmp_path / "rows.jsonl"
    service.script(JobScript(missing=[stamp(1)]))
    ran = ask(src=str(path), results_uri=str(out), deferrable=deferrable, max_failed_rows=1)
    assert ran.state == "success", ran.errors
    rows = landed(out)
    assert [row["status"] for row in rows] == ["ok", "missing", "ok"]
    assert [row["input"] for row in rows] == ROWS


def test_rows_of_a_table_that_is_gone_land_without_columns(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "in.csv").write_bytes(as_csv())
    out = tmp_path / "rows.jsonl"
    after_submit(monkeypatch, lambda _: path.unlink())
    ran = ask(src=str(path), results_uri=str(out), deferrable=True)
    assert ran.state == "success", ran.errors
    assert [(row["status"], "input" in row) for row in landed(out)] == [("ok", False)] * 3


def test_columns_are_those_of_the_row_in_every_job_and_round(service: Emulator, tmp_path: Path) -> None:
    (path := tmp_path / "in.csv").write_bytes(as_csv())
    out = tmp_path / "rows.jsonl"
    service.script(JobScript(missing=[stamp(0)]))
    service.script(JobScript(row_errors={stamp(2): 13}))
    ran = ask(
        src=str(path), results_uri=str(out), max_requests_per_job=2, max_active_jobs=1, retry_failed_rows=1
    )
    assert ran.state == "success", ran.errors
    rows = landed(out)
    assert [(row["index"], row["status"], row["input"]) for row in rows] == [
        (index, "ok", row) for index, row in enumerate(ROWS)
    ]
    assert [said(row) for row in rows] == [PROMPT.format(**row) for row in ROWS]
    assert [row.get("round", 0) for row in rows] == [1, 0, 1]
    assert len(service.jobs) == 3


@pytest.mark.parametrize(("ending", "deferrable"), [("csv", False), ("parquet", True)])
def test_rows_of_a_file_may_have_keys_of_their_own_and_choose_what_comes_back(
    service: Emulator, tmp_path: Path, ending: str, deferrable: bool
) -> None:
    path, out = tmp_path / f"reviews.{ending}", tmp_path / "rows.jsonl"
    path.write_bytes(FILES[ending]())
    ran = ask(
        src=str(path), results_uri=str(out), deferrable=deferrable, key="id", columns=["text"], ordered=True
    )
    assert ran.state == "success", ran.errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["key"], row["index"], row["input"]) for row in rows] == [
        (row["id"], number, {"text": row["text"]}) for number, row in enumerate(ROWS)
    ]
    assert [said(row) for row in rows] == [PROMPT.format(**row) for row in ROWS]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "8"}, "row 4: its key is the same as that of row 2"),
        ({"id": None}, "row 4: column 'id', which is the key, is null"),
        ({"id": "9" * 600}, "row 4: key has 600 characters"),
    ],
)
def test_keys_that_tell_no_rows_apart_are_refused(
    gemini: Emulator, change: dict[str, Any], said: str
) -> None:
    ran = ask(src=[*ROWS, {"id": "10", "text": "Hm", **change}], prompt="{text}", key="id")
    assert said in str(ran.errors[0])
    assert not gemini.jobs


def test_several_columns_make_one_key_and_keys_need_rows(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert ask(src=ROWS, results_uri=str(out), key=["id", "text"]).state == "success"
    assert [json.loads(row["key"]) for row in landed(out)] == [[row["id"], row["text"]] for row in ROWS]
    ran = ask(src=["Say one"], prompt=None, key="id")
    assert "key is for rows, and src has requests: give prompt" in str(ran.errors[0])
