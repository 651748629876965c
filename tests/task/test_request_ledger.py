"""The ledger of requests finds an entry by its place, or says that it cannot."""

from __future__ import annotations

from tempfile import TemporaryFile

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.request_digest import RequestDigest
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger


def test_nothing_is_read_at_wrong_places_where_sizes_of_keys_add_up_as_if_they_were_one() -> None:
    keys = ["abc", *(key for number in range(10, 50) for key in (f"k{number:03d}", f"{number:02d}"))]
    lines = [f'{{"key":"{key}","request":{{"contents":"{key}"}}}}\n'.encode() for key in keys]
    with TemporaryFile() as stream:
        ledger = RequestLedger(stream)
        digest = RequestDigest(Backend.GEMINI, "m")
        assert b"".join(ledger.passing([b"".join(lines)], digest)) == b"".join(lines)
        found = [ledger.at_place(place) for place in range(len(keys))]
    assert all(entry is None or entry.key == key for entry, key in zip(found, keys, strict=True))
