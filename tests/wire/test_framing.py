from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.lines import framing
from airflow_provider_genai_batch.wire.lines.framing import Framer

LINES = st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def frame(chunks: list[bytes]) -> tuple[list[bytes], bool]:
    framer = Framer()
    lines = [line for block in framer.blocks(chunks) for line in block]
    assert framer.lines == len(lines)
    return lines, framer.touched


@given(
    LINES, st.lists(st.integers(min_value=0)), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.booleans()
)
def test_lines_are_the_same_however_the_file_is_cut(
    lines: list[bytes], places: list[int], end: bytes, bom: bool, finished: bool
) -> None:
    lines = [b"{" + line for line in lines]  # as JSON does, so that no line looks like a signature
    data = (b"\xef\xbb\xbf" if bom else b"") + end.join(lines) + (end if finished and lines else b"")
    framed, touched = frame(cut(data, places))
    assert framed == [line + b"\n" for line in lines]
    assert touched == (b"".join(framed) != data)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x1f\x8b\x08\x00", "it is compressed (gzip)"),
        (b"PK\x03\x04", "it is a ZIP archive"),
        (b"PAR1", "it is a Parquet file"),
        (b"\xff\xfe{\x00", "it is UTF-16 text"),
    ],
)
def test_what_is_not_text_is_called_by_its_name(head: bytes, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        frame([head[:1], head[1:], b"..."])
    assert caught.value.reason == said
    assert caught.value.remedy


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_LINE_BYTES", 1000)
    with pytest.raises(RequestError, match="a line of more than 1000 bytes"):
        frame([b"x" * 100] * 20)
