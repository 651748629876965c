"""An input divided into parts, and the rows of parts made one table."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.checks import invalid_share, length, share
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, RequestError
from airflow_provider_genai_batch.models import Checked, Manifest, ResultRow, RowCounts
from airflow_provider_genai_batch.models.manifest.manifest import AnsweredBy
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.results.digest import digest_of
from airflow_provider_genai_batch.results.read_back import landed_rows
from airflow_provider_genai_batch.results.sinks import form_of, opened
from airflow_provider_genai_batch.task.parts.checked import checked_of
from airflow_provider_genai_batch.task.parts.division import Division
from airflow_provider_genai_batch.task.parts.merge import merge
from airflow_provider_genai_batch.task.parts.places import Places
from airflow_provider_genai_batch.task.parts.split import addresses, files_of, split
from airflow_provider_genai_batch.task.parts.total import total
from tests.operators.scenes import MODEL
from tests.operators.scenes import client as default_client
from tests.operators.test_group import requests


@pytest.fixture
def client(gemini: Emulator) -> Iterator[GenAIBatchClient]:
    with default_client() as service:
        yield service


def cut(
    client: GenAIBatchClient,
    folder: Path,
    *files: Path,
    rows: bool = False,
    out: str = "out.jsonl",
    **division: int,
) -> list[Path | list[Path]]:
    found = split(
        [*map(str, files)],
        client,
        model=MODEL,
        rows=rows,
        division=Division(**division),
        places=Places(f"{folder}/{out}", "run"),
    )
    return [[*map(Path, part)] if isinstance(part, list) else Path(part) for part in found]


@pytest.mark.parametrize(
    ("division", "rows", "sizes"),
    [
        (Division(parts=3), 10, [3, 3, 4]),
        (Division(parts=5), 3, [1, 1, 1]),
        (Division(rows_per_part=4), 10, [4, 4, 2]),
        (Division(rows_per_part=5), 10, [5, 5]),
        (Division(rows_per_part=50), 10, [10]),
    ],
)
def test_parts_are_as_equal_as_they_can_be_and_none_is_empty(
    division: Division, rows: int, sizes: list[int]
) -> None:
    assert [*division.sizes(rows)] == sizes


def test_files_stay_whole_and_in_their_order() -> None:
    files = [*"abcde"]
    assert Division().groups(files, together=False) == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert Division(parts=2).groups(files, together=True) == [["a", "b"], ["c", "d", "e"]]
    for division, together in (
        (Division(parts=2), False),
        (Division(parts=9), True),
        (Division(rows_per_part=2), True),
    ):
        with pytest.raises(InputError, match="leave"):
            division.groups(files, together=together)


def test_requests_are_cut_with_the_keys_that_they_have_in_the_whole(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text(requests(5) + "\n")
    parts = cut(client, tmp_path, tmp_path / "in.jsonl", parts=2)
    text = "".join(part.read_text() for part in parts if isinstance(part, Path))
    assert [line.split('"')[3] for line in text.splitlines()] == [f"r{number:08d}" for number in range(5)]
    assert len(parts) == 2


def test_a_bad_request_is_named_by_its_line_in_the_whole(client: GenAIBatchClient, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(requests(5, keyed=True) + requests(1, keyed=True))
    with pytest.raises(RequestError, match="line 6"):
        cut(client, tmp_path, tmp_path / "in.jsonl", parts=3)
    assert [*tmp_path.iterdir()] == [tmp_path / "in.jsonl"]


def test_requests_of_several_files_have_keys_where_their_rows_stay_apart(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    keyed, keyless = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    keyed.write_text(requests(2, keyed=True))
    keyless.write_text(requests(2))
    assert cut(client, tmp_path, keyed, keyless) == [keyed, keyless]
    assert cut(client, tmp_path, keyed, keyed, out="rows-*.jsonl") == [keyed, keyed]
    with pytest.raises(InputError, match=r"line 1 of .*2\.jsonl has no key"):
        cut(client, tmp_path, keyed, keyless, out="rows-*.jsonl")


@pytest.mark.parametrize("packed", [False, True])
def test_the_rows_of_a_table_are_cut_as_rows(client: GenAIBatchClient, tmp_path: Path, packed: bool) -> None:
    text = "city,n\r\n" + "".join(f'"A ""city"",\n{number}",{number}\r\n' for number in range(5))
    path = tmp_path / ("in.csv.gz" if packed else "in.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    parts = cut(client, tmp_path, path, rows=True, rows_per_part=2)
    lines = "".join(part.read_text() for part in parts if isinstance(part, Path)).splitlines()
    assert lines == [f'{{"city":"A \\"city\\",\\n{number}","n":"{number}"}}' for number in range(5)]
    assert len(parts) == 3


def test_the_rows_of_a_parquet_file_keep_their_types(client: GenAIBatchClient, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"day": pa.array(range(5000), pa.date32()), "n": range(5000)})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=700)
    parts = cut(client, tmp_path, tmp_path / "in.parquet", rows=True, parts=3)
    tables = [pq.read_table(part) for part in parts]
    assert [one.num_rows for one in tables] == [1666, 1667, 1667]
    assert pa.concat_tables(tables).equals(table)


def test_what_is_no_file_is_refused(client: GenAIBatchClient, tmp_path: Path) -> None:
    for src in ("bq://p.d.t", "files/abc", ["in.jsonl", {"contents": "Hi"}], []):
        with pytest.raises(InputError, match="give"):
            addresses(src)
    with pytest.raises(InputError, match="no file matches"):
        files_of(f"{tmp_path}/*.jsonl", client, "/elsewhere/rows.jsonl")
    with pytest.raises(ConfigurationError, match="the rows would take the place of the requests"):
        files_of(f"{tmp_path}/*.jsonl", client, f"{tmp_path}/rows.jsonl")
    with pytest.raises(ConfigurationError, match="parts or rows_per_part"):
        cut(client, tmp_path, tmp_path / "in.jsonl")


def landed(path: Path, rows: list[ResultRow], types: ColumnTypes | None = None, **fields: Any) -> Manifest:
    """Write rows as a part's task does, and return its manifest."""
    with path.open("wb") as out, opened(out, form_of(str(path)), types) as write:
        for row in rows:
            write(row.model_dump_json().encode() + b"\n")
    with path.open("rb") as stream:
        digest = digest_of(stream)
    return Manifest(
        backend="gemini",
        state=fields.pop("state", "SUCCEEDED"),
        job_names=(f"batches/{path.stem}",),
        results_uri=str(path),
        results_digest=digest,
        counts=RowCounts(total=len(rows), ok=len(rows)),
        **fields,
    )


def row(key: str, index: int | None) -> ResultRow:
    return ResultRow(key=key, index=index, status="ok", text=f"answer {index}")


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("renumber", [True, False])
def test_rows_are_one_table_and_stamps_are_places_in_it(
    client: GenAIBatchClient, tmp_path: Path, form: str, renumber: bool
) -> None:
    first = landed(tmp_path / f"1.{form}", [row("r00000001", 1), row("r00000000", 0), row("own", None)])
    second = landed(tmp_path / f"2.{form}", [row("r00000000", 0), row("r00000007", 1)])
    out = tmp_path / f"out.{form}"
    digest = merge([first, second], client, str(out), renumber=renumber)
    with out.open("rb") as stream:
        assert digest == digest_of(stream)
        stream.seek(0)
        found = [(one.key, one.index) for one in landed_rows(stream, form_of(str(out)))]
    last = [("r00000003", 3), ("r00000007", 4)] if renumber else [("r00000000", 0), ("r00000007", 1)]
    assert found == [("r00000001", 1), ("r00000000", 0), ("own", None), *last]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_keys_of_ones_own_stay_and_their_places_are_those_in_the_whole(
    client: GenAIBatchClient, tmp_path: Path, form: str
) -> None:
    same = row('b"\\"', 1).model_copy(update={"same_as": "r00000000"})
    first = landed(tmp_path / f"1.{form}", [row("r00000002", 0), row("a", 1)])
    second = landed(tmp_path / f"2.{form}", [row("r00000000", 0), same, row("c", None)])
    out = tmp_path / f"out.{form}"
    merge([first, second], client, str(out), renumber=False, ordered=True)
    with out.open("rb") as stream:
        found = [(one.key, one.index, one.same_as) for one in landed_rows(stream, form_of(str(out)))]
    assert found == [
        ("r00000002", 0, None),
        ("a", 1, None),
        ("r00000000", 2, None),
        ('b"\\"', 3, "r00000000"),
        ("c", None, None),
    ]


def test_an_answer_that_looks_like_a_row_is_not_renumbered(client: GenAIBatchClient, tmp_path: Path) -> None:
    answer = {"key": "r00000000", "index": 0, "text": "x"}
    own = row("own", None).model_copy(update={"output": answer, "input": answer})
    first, second = landed(tmp_path / "1.jsonl", [row("r00000000", 0)]), landed(tmp_path / "2.jsonl", [own])
    out = tmp_path / "out.jsonl"
    merge([first, second], client, str(out), renumber=True)
    with out.open("rb") as stream:
        assert [*landed_rows(stream, "jsonl")] == [row("r00000000", 0), own]


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_an_equal_request_of_the_same_part_is_named_by_its_place_in_the_whole(
    client: GenAIBatchClient, tmp_path: Path, form: str
) -> None:
    text = '"same_as":"r00000000"'  # as an answer may have it, too

    def part(number: int) -> Manifest:
        equal = row("r00000001", 1).model_copy(update={"same_as": "r00000000", "text": text})
        return landed(tmp_path / f"{number}.{form}", [row("r00000000", 0), equal])

    out = tmp_path / f"out.{form}"
    merge([part(1), part(2)], client, str(out), renumber=True)
    with out.open("rb") as stream:
        found = [(one.key, one.same_as, one.text) for one in landed_rows(stream, form_of(str(out)))]
    assert found[1::2] == [("r00000001", "r00000000", text), ("r00000003", "r00000002", text)]
    assert [one[:2] for one in found[::2]] == [("r00000000", None), ("r00000002", None)]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_part_that_was_written_over_is_not_merged(
    client: GenAIBatchClient, tmp_path: Path, form: str
) -> None:
    first = landed(tmp_path / f"1.{form}", [row("a", None)])
    landed(tmp_path / f"1.{form}", [row("b", None)])
    with pytest.raises(InputError, match="overwritten"):
        merge([first], client, str(tmp_path / f"out.{form}"), renumber=False)
    assert not (tmp_path / f"out.{form}").exists()


def test_parts_whose_columns_differ_are_not_merged(client: GenAIBatchClient, tmp_path: Path) -> None:
    first = landed(tmp_path / "1.parquet", [row("a", None)])
    number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    second = landed(tmp_path / "2.parquet", [row("b", None)], types=ColumnTypes(output=number))
    with pytest.raises(InputError, match=r"different types \(output\)"):
        merge([first, second], client, str(tmp_path / "out.parquet"), renumber=False)
    assert not (tmp_path / "out.parquet").exists()


def test_what_parts_counted_for_a_check_is_added_up_and_bounded_as_today() -> None:
    checks = [share("a", "b", between=(0.5, 0.6)), length("a", between=(1, 2)), invalid_share(at_most=0.1)]

    def part(*found: tuple[float | None, int]) -> Manifest:
        checked = [
            Checked(check=check.name, value=value, least=0, most=9, rows=rows, passed=False)
            for check, (value, rows) in zip(checks, found, strict=False)
        ]
        said = {"backend": "gemini", "state": "SUCCEEDED", "job_names": (), "results_uri": "part.jsonl"}
        return Manifest(**said, checks=tuple(checked))

    parts = [part((1 / 3, 3), (0.1, 10), (0.0, 4)), part((5 / 7, 7), (None, 0), (0.5, 8))]
    found = [(one.value, one.rows, one.most, one.passed) for one in checked_of(parts, checks)]
    assert found == [(0.6, 10, 0.6, True), (0.1, 10, 2, False), (4 / 12, 12, 0.1, False)]
    with pytest.raises(InputError, match=r"without a check of invalid_share\. Clear the mapped"):
        checked_of([*parts, part((1.0, 1), (1.0, 1))], checks)


def test_manifests_are_summed_up(tmp_path: Path) -> None:
    rows = [row("a", None)]
    first = landed(
        tmp_path / "1.jsonl", rows, causes={"13 INTERNAL": 2}, finish_reasons={"STOP": 3}, rounds=2
    )
    second = landed(
        tmp_path / "2.jsonl", rows, causes={"13 INTERNAL": 1}, tiers={"batch": 1}, state="EXPIRED"
    )
    whole = total([first, second], "out.jsonl", "crc32-0-0", None)
    assert (whole.state, whole.rounds, whole.causes) == ("EXPIRED", 2, {"13 INTERNAL": 3})
    assert whole.counts == RowCounts(total=2, ok=2)
    assert (whole.finish_reasons, whole.tiers) == ({"STOP": 3}, {"batch": 1})
    assert whole.job_names == ("batches/1", "batches/2")
    assert (whole.cost, whole.plan, whole.saved) == (None, None, None)
    assert whole.answered_by == ()
    other = first.model_copy(update={"answered_by": (AnsweredBy(model="m", conn_id="other", ok=1),)})
    by = total([other, second], "out.jsonl", None, None, conn_id="own").answered_by
    assert [(one.conn_id, one.ok) for one in by] == [("other", 1), ("own", 1)]
