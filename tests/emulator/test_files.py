"""Files and the resumable upload protocol."""

from __future__ import annotations

import base64
import hashlib

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, VirtualClock
from tests.emulator.talk import Gemini, good, keyed, lines, refused
from tests.waiting import wait_until

GRANULE = 262144
HOUR = 3600


def test_an_uploaded_file_is_shown_in_googles_types(api: Gemini):
    data = lines(keyed(2))
    name = api.upload(data, "files/my-input")
    shown = api.get(name)
    assert shown["name"] == "files/my-input"
    assert shown["sizeBytes"] == str(len(data))
    assert shown["state"] == "ACTIVE"
    assert base64.b64decode(shown["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()
    assert shown["uri"] == f"{api.url}/v1beta/files/my-input"


def test_an_empty_file_has_no_size(api: Gemini):
    assert "sizeBytes" not in api.get(api.upload(b""))


@pytest.mark.parametrize("file_id", ["A", "a_b", "-a", "a-", "x" * 41, "a.b"])
def test_ids_that_break_the_rule_are_refused_everywhere_but_at_download(api: Gemini, file_id: str):
    assert refused(api.http.get(f"/v1beta/files/{file_id}")) == (400, "INVALID_ARGUMENT")
    assert refused(api.delete(f"files/{file_id}")) == (400, "INVALID_ARGUMENT")
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    body = {"file": {"name": f"files/{file_id}"}}
    assert refused(api.http.post("/upload/v1beta/files", headers=start, json=body))[0] == 400
    assert refused(api.download(f"files/{file_id}")) == (404, "NOT_FOUND")


def test_generated_files_break_the_rule_and_are_hidden(api: Gemini):
    name = api.upload(lines(keyed(1)))
    output = api.ended(api.from_file(name)["name"])["response"]["responsesFile"]
    assert len(output.removeprefix("files/")) == 42
    assert refused(api.http.get(f"/v1beta/{output}")) == (400, "INVALID_ARGUMENT")
    assert refused(api.delete(output)) == (400, "INVALID_ARGUMENT")
    assert [one["name"] for one in good(api.http.get("/v1beta/files"))["files"]] == [name]


def test_both_download_paths_send_the_same_bytes_and_their_number(api: Gemini):
    output = api.ended(api.from_file(api.upload(lines(keyed(3))))["name"])["response"]["responsesFile"]
    one, two = api.download(output), api.http.get(f"/download/v1beta/{output}:download?alt=media")
    assert one.content == two.content
    assert one.headers["content-length"] == str(len(one.content))
    assert refused(api.http.get(f"/v1beta/{output}:download"))[0] == 400


def test_uploaded_files_cannot_be_downloaded(api: Gemini):
    assert api.download(api.upload(b"x")).status_code == 400


def test_a_file_that_is_not_there_is_forbidden_not_missing(api: Gemini):
    assert refused(api.http.get("/v1beta/files/never-was")) == (403, "PERMISSION_DENIED")
    name = api.upload(b"x")
    assert good(api.delete(name)) == {}
    assert refused(api.delete(name)) == (403, "PERMISSION_DENIED")


def test_uploads_expire_after_two_days_and_outputs_do_not():
    with Emulator(clock=VirtualClock()) as emulator, Gemini(emulator.url) as api:
        name = api.upload(lines(keyed(1)))
        ended = api.ended(api.from_file(name)["name"])
        emulator.clock.advance(47 * HOUR)
        assert api.get(name)["name"] == name
        emulator.clock.advance(2 * HOUR)
        assert refused(api.http.get(f"/v1beta/{name}")) == (403, "PERMISSION_DENIED")
        assert len(api.rows(ended)) == 1


def test_a_taken_name_is_a_conflict_until_it_is_deleted(api: Gemini):
    api.upload(b"one", "files/mine")
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    reply = api.http.post("/upload/v1beta/files", headers=start, json={"file": {"name": "files/mine"}})
    assert refused(reply) == (409, "ALREADY_EXISTS")
    api.delete("files/mine")
    assert api.upload(b"two", "files/mine") == "files/mine"


def test_chunks_are_put_together_and_the_upload_url_needs_no_key(api: Gemini):
    data = bytes(range(256)) * 4096
    url = api.start(len(data))
    assert url.startswith(api.url)
    reply = api.send(url, data[: 2 * GRANULE], last=False)
    assert (reply.status_code, reply.headers["x-goog-upload-status"]) == (200, "active")
    reply = api.send(url, data[2 * GRANULE :], 2 * GRANULE)
    assert reply.headers["x-goog-upload-status"] == "final"
    shown = good(reply)["file"]
    assert base64.b64decode(shown["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "offset", "last"),
    [
        (b"x" * (3 * GRANULE), 0, True),
        (b"x" * 10, 0, False),
        (b"x" * 10, 0, True),
    ],
    ids=["longer than declared", "not a multiple of the granule", "shorter than declared"],
)
def test_bytes_that_do_not_fit_are_refused(api: Gemini, data: bytes, offset: int, last: bool):
    url = api.start(2 * GRANULE)
    assert refused(api.send(url, data, offset, last=last)) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("offset", [0, 2 * GRANULE])
def test_bytes_for_another_place_are_refused_and_nothing_changes(api: Gemini, offset: int):
    url = api.start(2 * GRANULE)
    api.send(url, b"x" * GRANULE, last=False)
    assert refused(api.send(url, b"y" * GRANULE, offset)) == (400, "INVALID_ARGUMENT")
    assert api.command(url, "query").headers["x-goog-upload-size-received"] == str(GRANULE)
    assert good(api.send(url, b"x" * GRANULE, GRANULE))["file"]["sizeBytes"] == str(2 * GRANULE)


def test_query_says_how_far_it_is_and_cancel_abandons(api: Gemini):
    url = api.start(2 * GRANULE)
    api.send(url, b"x" * GRANULE, last=False)
    reply = api.command(url, "query")
    assert reply.headers["x-goog-upload-size-received"] == str(GRANULE)
    assert reply.headers["x-goog-upload-chunk-granularity"] == str(GRANULE)
    assert api.command(url, "cancel").headers["x-goog-upload-status"] == "cancelled"
    assert refused(api.send(url, b"x" * GRANULE, GRANULE))[0] == 400


def test_a_chunk_that_broke_off_is_kept_to_the_last_whole_granule(api: Gemini):
    # No length is declared, so that what broke off could be longer than what ends the file.
    url = api.start(None)

    def breaks_off():
        yield b"x" * (GRANULE + 1000)
        raise OSError

    headers = {
        "X-Goog-Upload-Command": "upload, finalize",
        "X-Goog-Upload-Offset": "0",
        "Content-Length": str(4 * GRANULE),
    }
    with pytest.raises(OSError):  # noqa: PT011 - the one raised above
        api.bare.post(url, headers=headers, content=breaks_off())

    def received() -> int:
        return int(api.command(url, "query").headers["x-goog-upload-size-received"])

    wait_until(received, "the server has noticed")
    assert received() == GRANULE
    shown = good(api.send(url, b"end", GRANULE))["file"]
    whole = b"x" * GRANULE + b"end"
    assert shown["sizeBytes"] == str(len(whole))
    assert base64.b64decode(shown["sha256Hash"]).decode() == hashlib.sha256(whole).hexdigest()


def test_a_lost_chunk_is_gone_and_query_tells(api: Gemini, emulator: Emulator):
    emulator.faults.add("files.upload", Fault.lost_chunk())
    url = api.start(2 * GRANULE)
    with pytest.raises(httpx.RemoteProtocolError):
        api.send(url, b"x" * GRANULE, last=False)
    assert api.command(url, "query").headers["x-goog-upload-size-received"] == "0"
    assert good(api.send(url, b"x" * (2 * GRANULE)))["file"]


def test_a_lost_final_reply_leaves_a_file_that_query_calls_final(api: Gemini, emulator: Emulator):
    emulator.faults.add("files.upload", Fault.lost_final_reply())
    url = api.start(2 * GRANULE, "files/lost-reply")
    assert api.send(url, b"x" * GRANULE, last=False).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        api.send(url, b"x" * GRANULE, GRANULE)
    assert api.command(url, "query").headers["x-goog-upload-status"] == "final"
    assert api.get("files/lost-reply")["sizeBytes"] == str(2 * GRANULE)


def test_the_status_header_can_be_left_out(api: Gemini, emulator: Emulator):
    emulator.faults.add("files.upload", Fault.no_status_header())
    reply = api.send(api.start(3), b"abc")
    assert reply.status_code == 200
    assert "x-goog-upload-status" not in reply.headers


def test_files_are_listed_in_pages_of_ten_newest_first(api: Gemini):
    names = [api.upload(b"x") for _ in range(12)]
    first = good(api.http.get("/v1beta/files"))
    assert [one["name"] for one in first["files"]] == names[:1:-1]
    rest = good(api.http.get("/v1beta/files", params={"pageToken": first["nextPageToken"]}))
    assert [one["name"] for one in rest["files"]] == names[1::-1]
    assert "nextPageToken" not in rest
