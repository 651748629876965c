"""The Files API's spelling."""

from __future__ import annotations

import json

import pytest

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.wire.services import files
from airflow_provider_genai_batch.wire.services.http import HttpAnswer

FILE = {
    "name": "files/abc",
    "displayName": "run 42",
    "mimeType": "application/jsonl",
    "sizeBytes": "12",
    "expirationTime": "2026-09-03T10:00:00.123456789Z",
    "state": "ACTIVE",
    "source": "UPLOADED",
}


def test_a_start_says_all_it_knows_and_no_more() -> None:
    request = files.start_upload(
        "https://h",
        "v1beta",
        size=12,
        mime_type="text/plain",
        name="files/a",
        display_name="d",
        file_name="ä b.jsonl",
    )
    assert request.url == "https://h/upload/v1beta/files"
    assert dict(request.headers)["X-Goog-Upload-File-Name"] == "%C3%A4%20b.jsonl"
    assert json.loads(request.body or b"") == {
        "file": {"name": "files/a", "displayName": "d", "mimeType": "text/plain", "sizeBytes": 12}
    }


def test_a_start_without_a_url_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="X-Goog-Upload-URL"):
        files.read_upload_url(HttpAnswer(200, {"x-goog-upload-status": "active"}, b""))


def test_the_final_answer_carries_the_file() -> None:
    body = json.dumps({"file": FILE}).encode()
    status = files.read_upload(HttpAnswer(200, {"x-goog-upload-status": "final"}, body))
    assert (status.status, status.received) == ("final", None)
    assert status.file is not None
    assert (status.file.name, status.file.size_bytes, status.file.state) == ("files/abc", 12, "ACTIVE")


@pytest.mark.parametrize(
    ("headers", "status", "received"),
    [
        ({"x-goog-upload-status": "active", "x-goog-upload-size-received": "5"}, "active", 5),
        ({"x-goog-upload-status": " Active "}, "active", None),
        ({}, "", None),
    ],
)
def test_an_answer_that_is_not_final_says_how_far_it_got(
    headers: dict[str, str], status: str, received: int | None
) -> None:
    assert files.read_upload(HttpAnswer(200, headers, b"not json")) == (status, received, None)


def test_an_empty_file_has_no_size_in_its_answer() -> None:
    assert files.read_file(HttpAnswer(200, {}, b'{"name": "files/a"}')).size_bytes == 0


def test_bytes_are_sent_without_credentials() -> None:
    for request in (files.send_chunk("https://u", 5, b"abc", last=False), files.query_upload("https://u")):
        assert request.anonymous
    assert dict(files.send_chunk("https://u", 5, b"", last=True).headers) == {
        "X-Goog-Upload-Command": "upload, finalize",
        "X-Goog-Upload-Offset": "5",
    }
