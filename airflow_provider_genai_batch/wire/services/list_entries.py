"""A page of jobs of which only the names are read: each entry stays raw until its job is known to have changed."""

from __future__ import annotations

import json
from collections.abc import Callable

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.wire.services.http import HttpAnswer, read_object
from airflow_provider_genai_batch.wire.values import get, objects


class ListEntry(Struct, frozen=True, gc=False):
    """A job in a list."""

    name: str
    shown: bytes
    """Everything that the list shows of it, as JSON."""


class _Name(Struct, gc=False):
    name: str


class _Page(Struct, gc=False, rename="camel"):
    operations: list[Raw] = []
    """Jobs of the Gemini API."""
    batch_prediction_jobs: list[Raw] = []
    """Jobs of Vertex AI."""
    next_page_token: str = ""


_PAGE, _NAME = Decoder(_Page), Decoder(_Name)


def entries_reader(member: str) -> Callable[[HttpAnswer], tuple[list[ListEntry], str]]:
    """Return a reader of pages whose jobs are in `member`; it returns the jobs and the next page's token (or "").

    The reader raises what `wire.services.http.read_object` does, and ValueError for jobs that are not objects.
    """

    def read(answer: HttpAnswer) -> tuple[list[ListEntry], str]:
        usual = _usual(answer.body)
        if usual is not None:
            return usual
        payload = read_object(answer)
        jobs = objects(get(payload, member, ()))
        entries = [ListEntry(str(get(job, "name", "")), json.dumps(job).encode()) for job in jobs]
        return entries, str(get(payload, "nextPageToken", ""))

    return read


def _usual(body: bytes) -> tuple[list[ListEntry], str] | None:
    """Read a page that has jobs and is spelled as documented; None for any other."""
    try:
        page = _PAGE.decode(body)
        jobs = page.operations or page.batch_prediction_jobs
        entries = [ListEntry(_NAME.decode(job).name, bytes(job)) for job in jobs]
    except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is not a ValueError
        return None
    certain = entries and (page.next_page_token or b"next_page_token" not in body)
    return (entries, page.next_page_token) if certain else None
