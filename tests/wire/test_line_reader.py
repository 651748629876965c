"""JSON lines out of chunks, however they are cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.wire.lines.line_reader import LineReader

OBJECTS = st.lists(
    st.dictionaries(
        st.text(max_size=5), st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=8), max_size=3
    ),
    max_size=6,
)


def _read(chunks: list[bytes]) -> tuple[list[dict[str, Any]], LineReader]:
    reader = LineReader()
    found = [value for chunk in chunks for value in reader.feed(chunk)]
    return found + list(reader.end()), reader


@given(OBJECTS, st.lists(st.integers(0, 200)), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", " \n"]))
def test_any_cut_gives_the_same_objects(objects: Any, cuts: list[int], closed: bool, end: str) -> None:
    data = end.join(json.dumps(one, ensure_ascii=False) for one in objects).encode()
    data += end.encode() if closed else b""
    places = sorted({min(cut, len(data)) for cut in cuts})
    chunks = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    found, reader = _read(chunks)
    assert found == objects
    assert reader.bad_count == 0


def test_lines_that_are_no_objects_are_noted_with_their_number() -> None:
    found, reader = _read([b'{"a": 1}\n\nnot json\n[1]\n{"b": 2}\n{"cut'])
    assert found == [{"a": 1}, {"b": 2}]
    assert reader.bad_count == 3
    assert [note.partition(":")[0] for note in reader.bad] == ["line 3", "line 4", "line 6"]


def test_only_the_first_bad_lines_are_kept() -> None:
    _, reader = _read([b"x\n" * 100])
    assert (reader.bad_count, len(reader.bad)) == (100, 5)


def test_a_line_of_many_chunks_is_not_copied_with_each() -> None:
    reader = LineReader()
    for _ in range(1000):
        assert list(reader.feed(b"x" * 10)) == []
    assert len(reader._rest) == 1001 or len(reader._rest) == 1000
