"""Every block of README and docs does what the page says."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight
from tests.docs.pages import Page, all_pages, code
from tests.docs.walk import DATE, walk

README = Page("README.md")
TUTORIAL = Page("docs/tutorial.md")
JSONL = Page("docs/how-to/jsonl.md")
CLASSIFY = Page("docs/how-to/classify-a-table.md")
DATABASE = Page("docs/how-to/ask-a-database.md")
REVIEWS = [(1, "Very good.", DATE), (2, "It broke.", DATE), (3, "Older.", "2025-12-31")]


@pytest.fixture
def both(cloud_storage: CloudStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Give an emulator whose jobs end at once, with a connection for each service."""
    with Emulator(storage=cloud_storage, lifecycle=Lifecycle.at_once()) as running:
        for name, backend in (("DEFAULT", "gemini"), ("VERTEX", "vertex")):
            monkeypatch.setenv(f"AIRFLOW_CONN_GENAI_BATCH_{name}", json.dumps(running.connection(backend)))
        yield running


OTHERS = [page for page in all_pages() if page.blocks and page not in (README, TUTORIAL, CLASSIFY, DATABASE)]


@pytest.mark.parametrize("page", OTHERS, ids=str)
def test_what_a_page_says_can_be_done(page: Page, both: Emulator, tmp_path: Path) -> None:
    with walk(page, tmp_path, both.url) as reader:
        reader.go()


def test_the_dags_of_the_readme_and_of_the_page_on_tables_do_what_they_promise(
    cloud_storage: CloudStorage, big_query: BigQuery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    texts = {"first": "I like it.", "second": "It broke."}
    lines = [{"key": key, "request": {"contents": [{"parts": [{"text": t}]}]}} for key, t in texts.items()]
    (tmp_path / f"reviews-{DATE}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    place = "my-project.reviews"
    big_query.create_dataset(place)
    rows = [{"id": number, "text": text, "day": day} for number, text, day in REVIEWS]
    columns = [("id", "INTEGER"), ("text", "STRING"), ("day", "DATE")]
    big_query.create_and_insert(f"{place}.texts", columns, rows)
    with Emulator(storage=cloud_storage, bigquery=big_query, lifecycle=Lifecycle.at_once()) as running:
        for name, backend in (("DEFAULT", "gemini"), ("VERTEX", "vertex")):
            monkeypatch.setenv(f"AIRFLOW_CONN_GENAI_BATCH_{name}", json.dumps(running.connection(backend)))
        with walk(README, tmp_path, running.url) as reader:
            reader.go()
        assert reader.ran == ["nightly_reviews", "label_reviews"]
        with walk(CLASSIFY, tmp_path, running.url) as reader:
            reader.go()
    assert reader.ran == ["classify_reviews", "classify_what_changed"]
    answers = map(json.loads, (tmp_path / f"answers-{DATE}.jsonl").read_text().splitlines())
    assert {row["key"]: row["status"] for row in answers} == {"first": "ok", "second": "ok"}
    labels, short = [*big_query.rows(f"{place}.labels")], [*big_query.rows(f"{place}.kinds")]
    assert {(row["id"], row["row_status"]) for row in labels} == {(1, "ok"), (2, "ok")}
    assert {(row["id"], row["row_status"], type(row["topics"])) for row in short} == {
        (1, "ok", list),
        (2, "ok", list),
    }
    named = {code(row[0]) for row in CLASSIFY.table("## The result table", "Column")}
    kinds = dict(big_query.columns(f"{place}.labels"))
    assert [*kinds][:6] == ["id", "text", "day", "kind", "certainty", "topics"]
    assert {*[*kinds][6:]} == named
    assert (kinds["certainty"], kinds["row_status"]) == ("FLOAT", "STRING")
    at_hand = {code(row[0]) for row in CLASSIFY.table("## Pay only for what changed", "Column")}
    assert {*dict(big_query.columns(f"{place}.good"))} == {"id", "text", "good"} | named | at_hand


def test_the_dag_that_asks_a_database_gives_each_of_its_rows_a_label(
    both: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE reviews (id INTEGER, body TEXT, day TEXT, stars INTEGER)")
        rows = [(number, text, day, number) for number, text, day in REVIEWS]
        connection.executemany("INSERT INTO reviews VALUES (?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE labels (id TEXT, kind TEXT, certainty FLOAT)")
        connection.execute(
            "INSERT INTO labels VALUES ('of another day', 'praise', 1.0), ('2', 'blame', NULL)"
        )
    with walk(DATABASE, tmp_path, both.url) as reader:
        reader.go()
    assert reader.ran == ["ask_a_database"]
    with closing(sqlite3.connect(path)) as connection:
        labels = connection.execute("SELECT id, typeof(kind), typeof(certainty) FROM labels").fetchall()
    assert sorted(labels) == [("2", "text", "real"), ("of another day", "text", "real")]
    (snapshot,) = (one.name for one in tmp_path.iterdir() if ".rows-" in one.name)
    named = re.search(r"`(labels-\S+)\.rows-<", DATABASE.text)
    assert named is not None
    assert snapshot.startswith(f"{named[1]}.rows-")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start the emulator by the tutorial's own command, on a free port; give what it printed."""
    (line,) = [
        line
        for block in TUTORIAL.blocks
        for line in block.text.splitlines()
        if line.startswith("python -m airflow_provider_genai_batch.emulator")
    ]
    words = [*line.split()[1:], "--port", "0", "--at-once"]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as child:
        try:
            said = ""
            while "AIRFLOW_CONN_GENAI_BATCH_DEFAULT" not in said:
                more = child.stdout.readline()
                assert more, f"it stopped after {said!r}"
                said += more
            for name, value in re.findall(r"^export (AIRFLOW_CONN_\w+)='(.*)'$", said, re.MULTILINE):
                monkeypatch.setenv(name, value)
            yield said
        finally:
            child.terminate()


def test_the_tutorial_can_be_followed_from_top_to_bottom(command: str, tmp_path: Path) -> None:
    url = command.partition("\n")[0]
    with walk(TUTORIAL, tmp_path, url) as reader:
        reader.go()
    assert reader.ran == ["first", "first", "deferred", "chained"]
    assert len((tmp_path / "cities.jsonl").read_text().splitlines()) == 3
    assert "Name a lake." in (tmp_path / "lake.jsonl").read_text()
    shown = next(block.text for block in TUTORIAL.blocks if block.text.startswith("export AIRFLOW_CONN"))
    assert shown.replace("http://127.0.0.1:8765", url) in command


JSON_LINES = [block.text for block in JSONL.blocks if block.language == "json"]
REFUSED = [code(row[0]) for row in JSONL.table("## Refused lines", "Line")]


@pytest.mark.parametrize("line", JSON_LINES)
def test_a_line_that_the_page_calls_good_is_taken(line: str) -> None:
    task = Task.EMBED if '"content":' in line else Task.GENERATE
    check = Preflight(
        Backend.GEMINI, task, "gemini-embedding-001" if task is Task.EMBED else "gemini-2.5-flash"
    )
    (written,) = check.lines([line.encode()])
    assert json.loads(written).keys() == {"key", "request"}


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_the_page_calls_bad_is_refused(line: str) -> None:
    for backend in Backend:
        with pytest.raises(RequestError, match="line 1"):
            list(Preflight(backend, Task.GENERATE, "gemini-2.5-flash").lines([line.encode()]))


@pytest.mark.parametrize("at", [0, 1])
def test_a_line_that_only_vertex_refuses_passes_on_gemini(at: int) -> None:
    tables = JSONL.section("## Refused lines").split("So these are refused too:")[1]
    line = [code(row) for row in tables.splitlines() if row.startswith("| `")][at].encode()
    with pytest.raises(RequestError, match="line 1"):
        list(Preflight(Backend.VERTEX, Task.GENERATE, "gemini-2.5-flash").lines([line]))
    assert list(Preflight(Backend.GEMINI, Task.GENERATE, "gemini-2.5-flash").lines([line]))
