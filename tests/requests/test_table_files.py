"""Rows of CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import InputError, RequestError, UnsupportedError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.requests.tables.csv_file import csv_rows
from airflow_provider_genai_batch.requests.tables.parquet_file import parquet_rows
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.rows import jsonl_rows, unzipped
from airflow_provider_genai_batch.requests.tables.write import TableWriter

SIZES = pytest.mark.parametrize("size", [1, 3, 1000])


def cut(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read_csv(data: bytes, size: int = 1000) -> list[dict[str, str]]:
    return [*chain.from_iterable(csv_rows(cut(data, size), "in.csv"))]


# ---------------------------------------------------------------- CSV


@SIZES
def test_quotes_line_ends_and_letters_of_csv_are_read_wherever_chunks_are_cut(size: int) -> None:
    data = '\ufeffid,text\r\n1,"a, ""b""\nc\r\nd"\r\n2,größer €\n\n3,"\u2028x"'.encode()
    assert read_csv(data, size) == [
        {"id": "1", "text": 'a, "b"\nc\r\nd'},
        {"id": "2", "text": "größer €"},
        {"id": "3", "text": "\u2028x"},
    ]


# Python 3.10 writes no NUL.
_TEXTS = st.text().filter(lambda text: sys.version_info >= (3, 11) or "\0" not in text)


@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=5), st.integers(1, 50))
def test_what_python_writes_as_csv_is_read_back(rows: list[tuple[str, str]], size: int) -> None:
    written = io.StringIO()
    out = csv.writer(written, quoting=csv.QUOTE_ALL)
    out.writerow(["a", "b"])
    out.writerows(rows)
    read = read_csv(written.getvalue().encode(), size)
    assert [(row["a"], row["b"]) for row in read] == rows


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n1,2,3\n", r"^line 3 of in\.csv: 3 columns, where the header has 2 \('a', 'b'\)"),
        (b'a,b\n"x\ny",2\n1\n', r"^line 4 of in\.csv: 1 columns, where the header has 2"),
        (b'a,b\n1,"2\n3,4\n', r"^line 3 of in\.csv: not CSV \(unexpected end of data\)"),
        (b'a,b\n1,"2"x\n', r"^line 2 of in\.csv: not CSV"),
        (b"a,b\r1,2\r", r"^line 1 of in\.csv: not CSV .*lines end in LF or CRLF"),
        (b"a,b\n1,\xff\n", r"^in\.csv, after line \d: it is not UTF-8"),
        (
            b"a,b\n1,2\n" + '1,"caf\u00e9\nx"\n'.encode("latin-1"),
            r"line 3 of in\.csv has the byte 0xe9. Save it",
        ),
        ("a,b\n1,2\n".encode("utf-16"), "it is not UTF-8"),
        (b"a,b\n1,\xc3", r"it is not UTF-8"),
        (b"a,b,a\n1,2,3\n", "the header of in.csv has the column 'a' twice"),
        (b"", "in.csv has no header"),
    ],
)
def test_csv_that_cannot_be_read_is_refused_with_the_line(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_csv(data)


_BITS = [
    "a",
    "ä",
    ",",
    ",",
    "\n",
    "\n",
    "\r\n",
    "\r",
    '"',
    '"',
    '"',
    '""',
    "\0",
    " ",
    "1,2\n",
    '"x",',
    '"\n"',
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_BITS), max_size=25), st.integers(1, 60))
def test_csv_is_read_and_refused_as_python_reads_it_whatever_stands_in_it(bits: list[str], size: int) -> None:
    data = ("a,b\n" + "".join(bits)).encode()
    found: list[dict[str, str]] = []
    wrong = None
    try:
        for rows in csv_rows(cut(data, size), "in.csv"):
            found += rows
    except RequestError as error:
        wrong = error.where
    assert (found, wrong) == by_python(data.decode())


def by_python(text: str) -> tuple[list[dict[str, str]], str | None]:
    lines = text.splitlines(keepends=True) if "\r" not in text else text.replace("\n", "\n\1").split("\1")
    reader = csv.reader([line for line in lines if line], strict=True)
    rows = []
    try:
        for row in reader:
            if row and len(row) != 2:
                return rows[1:], f"line {reader.line_num} of in.csv"
            rows += [dict(zip("ab", row, strict=True))] if row else []
    except csv.Error:
        return rows[1:], f"line {reader.line_num} of in.csv"
    return rows[1:], None


def test_values_longer_than_pythons_own_limit_are_read() -> None:
    assert read_csv(b"a,b\n" + b"x" * 300_000 + b",2\n")[0]["a"] == "x" * 300_000


# ---------------------------------------------------------------- JSON lines


@SIZES
def test_objects_of_json_lines_are_rows(size: int) -> None:
    data = '\ufeff{"a": "ä", "b": [1]}\r\n\n{"a": null}'.encode()
    assert [*chain.from_iterable(jsonl_rows(cut(data, size), "in.jsonl"))] == [
        {"a": "ä", "b": [1]},
        {"a": None},
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b'{"a": 1}\n\n["b"]\n',
            r"^line 3 of in\.jsonl: a JSON array, not an object\. Write one JSON object a line",
        ),
        (b'{"a": 1}\n{"a": \n', r"^line 2 of in\.jsonl: not JSON"),
        (b'{"a": NaN}\n', r"^line 1 of in\.jsonl: not JSON"),
        (b"PAR1....", r"^line 1 of in\.jsonl: it is a Parquet file"),
    ],
)
def test_lines_that_are_no_rows_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        list(jsonl_rows(cut(data), "in.jsonl"))


# ---------------------------------------------------------------- compressed


@SIZES
def test_what_is_compressed_is_known_by_its_first_bytes(size: int) -> None:
    data = b"a,b\n1,2\n" * 500
    assert b"".join(unzipped(cut(data, size), "in")) == data
    assert b"".join(unzipped(cut(gzip.compress(data), size), "in")) == data
    two = gzip.compress(data) + gzip.compress(data)
    assert b"".join(unzipped(cut(two, size), "in")) == data * 2


def test_a_chunk_without_bytes_is_not_the_end_of_what_is_compressed() -> None:
    data = b"a,b\n1,2\n" * 500
    chunks = [*cut(gzip.compress(data), 5), b"", *cut(gzip.compress(data), 5)]  # also between two members
    assert b"".join(unzipped(chain.from_iterable((b"", chunk) for chunk in chunks), "in")) == data * 2


@pytest.mark.parametrize(
    "damage", [lambda z: z[:-20], lambda z: z[:50] + b"xxxx" + z[54:], lambda z: z + b"junk"]
)
def test_what_is_compressed_and_broken_is_refused(damage: Any) -> None:
    whole = gzip.compress(bytes(range(256)) * 100)
    with pytest.raises(InputError, match=r"in\.csv\.gz cannot be decompressed"):
        list(unzipped(cut(damage(whole)), "in.csv.gz"))


def test_no_bytes_are_no_bytes() -> None:
    assert b"".join(unzipped(iter(()), "in")) == b""


# ---------------------------------------------------------------- Parquet


def parquet(folder: Path, table: pa.Table, **settings: Any) -> Path:
    path = folder / "in.parquet"
    pq.write_table(table, path, **settings)
    return path


def read_parquet(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    with path.open("rb") as stream:
        return [*chain.from_iterable(parquet_rows(stream, "in.parquet", columns))]


def test_rows_of_parquet_come_in_order_over_row_groups(tmp_path: Path) -> None:
    table = pa.table({"id": range(5000), "text": [f"t{i}" for i in range(5000)]})
    path = parquet(tmp_path, table, row_group_size=700)
    assert read_parquet(path) == [{"id": i, "text": f"t{i}"} for i in range(5000)]
    assert read_parquet(path, ["text"])[4999] == {"text": "t4999"}


VALUES = {
    "day": (pa.date32(), date(2026, 1, 2), "2026-01-02"),
    "at": (
        pa.timestamp("ns", "UTC"),
        datetime(2026, 1, 2, 3, tzinfo=timezone.utc),
        "2026-01-02T03:00:00+00:00",
    ),
    "then": (pa.timestamp("ms"), datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001
    "clock": (pa.time64("ns"), time(3, 4, 5), "03:04:05"),
    "took": (pa.duration("ns"), timedelta(seconds=1.5), 1.5),
    "price": (pa.decimal128(9, 2), Decimal("12.50"), "12.50"),
    "picture": (pa.binary(), b"\xff\xfe", "//4="),
    "share": (pa.float64(), float("nan"), None),
    "many": (pa.int64(), 2**62, 2**62),
    "tags": (pa.list_(pa.string()), ["a", None], ["a", None]),
    "inside": (pa.struct([("d", pa.date32())]), {"d": date(2026, 1, 2)}, {"d": "2026-01-02"}),
    "pairs": (pa.map_(pa.string(), pa.int64()), [("a", 1)], [["a", 1]]),
    "nothing": (pa.null(), None, None),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_of_parquet_are_carried_as_json(tmp_path: Path, name: str) -> None:
    kind, value, spelled = VALUES[name]
    path = parquet(tmp_path, pa.table({name: pa.array([value], kind)}))
    assert carried(read_parquet(path)) == [{name: spelled}]


def test_nanoseconds_are_cut_off(tmp_path: Path) -> None:
    path = parquet(tmp_path, pa.table({"at": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))}))
    assert carried(read_parquet(path)) == [{"at": "2023-11-14T22:13:20.123456"}]


NANOS = 1_700_000_000_123_456_789
INSIDE = {
    "list": (pa.list_(pa.timestamp("ns")), [NANOS], ["2023-11-14T22:13:20.123456"]),
    "struct": (pa.struct([("t", pa.time64("ns"))]), {"t": 3_600_000_000_789}, {"t": "01:00:00"}),
    "map": (pa.map_(pa.string(), pa.duration("ns")), [("a", 1_500_000_001)], [["a", 1.5]]),
    "lists of structs": (
        pa.list_(pa.struct([("t", pa.timestamp("ns", "UTC"))])),
        [{"t": NANOS}],
        [{"t": "2023-11-14T22:13:20.123456+00:00"}],
    ),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_nanoseconds_are_cut_off_in_whatever_holds_them(tmp_path: Path, kind: str) -> None:
    of, value, spelled = INSIDE[kind]
    path = parquet(tmp_path, pa.table({"at": pa.array([value, None], of)}))
    rows = carried(read_parquet(path))
    assert rows == [{"at": spelled}, {"at": None}]


def test_a_dictionary_of_nanoseconds_is_read_like_a_column(tmp_path: Path) -> None:
    column = pa.array([NANOS, NANOS, None], pa.timestamp("ns")).dictionary_encode()
    path = parquet(tmp_path, pa.table({"at": column}))
    assert [row["at"] for row in carried(read_parquet(path))] == ["2023-11-14T22:13:20.123456"] * 2 + [None]


@pytest.mark.parametrize(
    ("kind", "value"), [(pa.timestamp("s"), 10**12), (pa.date32(), 10**8), (pa.timestamp("s", "UTC"), 10**12)]
)
def test_a_time_that_python_has_no_word_for_is_refused_with_its_row(
    tmp_path: Path, kind: Any, value: int
) -> None:
    values = [0] * 3000
    values[2500] = value
    path = parquet(tmp_path, pa.table({"at": pa.array(values, pa.int64()).cast(_number(kind)).cast(kind)}))
    with pytest.raises(
        RequestError, match=r"^row 2501 of in\.parquet: column 'at' has a .* cannot represent"
    ):
        read_parquet(path)


def _number(kind: Any) -> Any:
    return pa.int32() if kind == pa.date32() else pa.int64()


@pytest.mark.parametrize(
    ("value", "said"),
    [(float("nan"), r"is null \(nan is no value\)"), (float("inf"), r"is null \(inf is no value\)")],
)
def test_what_is_no_number_is_named_with_its_row(value: float, said: str) -> None:
    rows = [{"share": 0.5}, {"share": value}]
    prompt = Prompt("{share}")
    writer = TableWriter(prompt, Backend.GEMINI, Task.GENERATE, "gemini-2.5-flash", name="in.parquet")
    with pytest.raises(RequestError, match=rf"^row 2 of in\.parquet: column 'share' {said}"):
        list(writer.blocks([rows]))


def test_a_column_that_parquet_does_not_have_is_refused_with_those_it_has(tmp_path: Path) -> None:
    path = parquet(tmp_path, pa.table({"id": [1], "txt": ["a"]}))
    with pytest.raises(
        RequestError, match=r"in\.parquet: there is no column 'text'.*The columns are: 'id', 'txt'"
    ):
        read_parquet(path, ["text"])


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(b"id,text\n1,a\n" * 10)
    with pytest.raises(InputError, match=r"in\.parquet cannot be read as Parquet"):
        read_parquet(path)


def test_parquet_without_pyarrow_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnsupportedError, match=r"install airflow-provider-genai-batch\[parquet\]"):
        list(parquet_rows(io.BytesIO(b""), "in.parquet"))


# ---------------------------------------------------------------- columns


def carried(rows: list[Any]) -> list[Any]:
    with tempfile.TemporaryFile() as stream:
        columns = Columns(stream)
        assert [*chain.from_iterable(columns.kept([rows]))] == rows
        return [columns(index) for index in range(len(columns))]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3), max_size=6))
def test_columns_are_given_back_by_place(rows: list[dict[str, Any]]) -> None:
    assert carried(rows) == rows


def test_columns_are_given_back_in_any_order_and_none_of_rows_that_are_not_there() -> None:
    with tempfile.TemporaryFile() as stream:
        columns = Columns(stream)
        for _ in columns.kept([{"n": n}] for n in range(100)):
            pass
        assert [columns(n)["n"] for n in (99, 0, 50, 50)] == [99, 0, 50, 50]
        assert columns(100) == {}
        assert columns(-1) == {}


def test_columns_that_json_has_no_word_for_are_refused() -> None:
    with pytest.raises(RequestError, match="a value of type object"):
        carried([{"a": object()}])


def test_the_columns_are_json(tmp_path: Path) -> None:
    rows = carried(read_parquet(parquet(tmp_path, pa.table({"a": [1.5], "b": ["ä"]}))))
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize("columns", [1, 2])
def test_a_row_that_is_longer_than_what_is_read_at_once_stays_one_row(columns: int) -> None:
    long = "x" * (6 * 1024 * 1024)
    head, row = ("text", long) if columns == 1 else ("id,text", f"1,{long}")
    data = f"{head}\n{row}\n".encode()
    chunks = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    rows = [one for some in csv_rows(chunks, "in.csv") for one in some]
    assert [one["text"] == long for one in rows] == [True]


def test_a_text_of_parquet_that_is_no_utf_8_is_named_by_its_row(tmp_path: Path) -> None:
    bad = pa.array([b"good", b"\xff"]).cast(pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": bad}), tmp_path / "in.parquet")
    with (tmp_path / "in.parquet").open("rb") as stream, pytest.raises(RequestError, match="row 2 of"):
        _ = [*parquet_rows(stream, "in.parquet")]


def test_two_columns_of_parquet_with_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([pa.array(["first"]), pa.array(["second"])], names=["text", "text"])
    with pytest.raises(InputError, match="has the column 'text' twice: give each a name of its own"):
        read_parquet(parquet(tmp_path, table), ["text"])
