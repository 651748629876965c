"""The digest of files behind each other follows from those of the files."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.results.digest import digest_of, joined


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_it_is_that_of_the_joined_bytes(parts: list[bytes]) -> None:
    assert joined([digest_of(BytesIO(part)) for part in parts]) == digest_of(BytesIO(b"".join(parts)))


def test_files_may_be_large() -> None:
    zeros = bytes(5_000_000)
    assert joined([digest_of(BytesIO(b"a")), digest_of(BytesIO(zeros))]) == digest_of(BytesIO(b"a" + zeros))
