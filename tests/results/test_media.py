"""Bytes of media out of base64, and names for the files that they become."""

from __future__ import annotations

import io
import os
import quopri
import random
import shutil
from base64 import b64encode, encodebytes, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.results.media import (
    LONGEST_NAME,
    Base64Bytes,
    check_media_uri,
    digest_of_bytes,
    media_name,
    safe_key,
)

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, 4, 3 * 64 * 1024 - 1, 3 * 64 * 1024, 3 * 64 * 1024 + 1, 500_000]
)
def test_base64_of_every_spelling_reads_as_its_bytes_from_any_place(size: int) -> None:
    data = random.Random(size).randbytes(size)
    for text in (
        b64encode(data).decode(),
        urlsafe_b64encode(data).decode().rstrip("="),
        encodebytes(data).decode(),
    ):
        stream, out = Base64Bytes(text, lambda size: b"%d:" % size), io.BytesIO()
        whole = b"%d:" % size + data
        assert stream.size == len(whole)
        shutil.copyfileobj(stream, out, 1000)
        assert out.getvalue() == whole
        for at in (0, 1, 5, size // 2, size):
            stream.seek(at)
            assert stream.read(7) == whole[at : at + 7]


@pytest.mark.parametrize("text", ["a", "ab!d", "a=bc====", "äbcd", "abcd" * 100_000 + "a?cd"])
def test_what_is_no_base64_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|adding|ASCII"):
        digest_of_bytes(Base64Bytes(text))


@given(st.text())
def test_a_key_can_be_part_of_any_name_and_be_read_back(key: str) -> None:
    spelled = safe_key(key)
    assert set(spelled) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=~")
    assert not spelled.startswith(".")
    assert len(spelled) <= 120
    if "~" not in spelled:
        assert quopri.decodestring(spelled.encode()).decode() == key


def test_long_keys_that_begin_alike_have_names_of_their_own() -> None:
    keys = ["x" * 500 + tail for tail in "ab"] + ["ключ" * 60 + tail for tail in "ab"]
    names = {media_name(key, 100, 1000, DIGEST, "tiff") for key in keys}
    assert len(names) == 4
    assert all(len(os.fsencode(name)) <= len(LONGEST_NAME) for name in names)


def test_a_name_tells_key_candidate_part_and_content() -> None:
    assert media_name("a/../b", 1, 2, DIGEST, "png") == "a=2F..=2Fb-1-2-0123456789abcdef.png"
    assert media_name(None, 0, 0, DIGEST, "bin") == "=-0-0-0123456789abcdef.bin"


@pytest.mark.parametrize("uri", ["", " ", "bq://p.d.t", "gs://", "gs://bucket/*/"])
def test_what_is_no_folder_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a folder for pictures and sound"):
        check_media_uri(uri)
