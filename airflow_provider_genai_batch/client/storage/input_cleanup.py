"""Taking away the input that this package uploaded for a job."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.jobs import PAGE_SIZE
from airflow_provider_genai_batch.exceptions import NotFound, PermissionDenied
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, ask_of, file_name, object_name, tag_of
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.wire.services.files import File


def discard_input(calls: Calls, job: BatchJob) -> Generator[Any, Any, str | None]:
    """Delete the input that this package uploaded for a job that has ended, and nothing else.

    Its name is made anew from the tag in the job's display name and compared with what the job read: a file or an
    object of the user's own stays. All jobs of one tag read the same input, so it stays, too, where another one of them
    goes on, or where it was placed after the job began, for one that is yet to come.

    Returns:
        The address that was deleted; None when there was nothing to delete (any more).

    Raises:
        CallError: the service refused, or was not to be reached.
    """
    address = _own_input(job)
    if address is None or not job.state.final:
        return None
    vertex = job.backend is Backend.VERTEX
    try:
        if not vertex:
            file: File = yield calls.get_file(address)
            if file.created and job.create_time and file.created > job.create_time:
                return None
        if (yield from _is_read(calls, job)):
            return None
        yield calls.delete_object(address) if vertex else calls.delete_file(address)
    except NotFound:
        return None
    except PermissionDenied:
        if vertex:
            raise
        return None  # what the Files API says of a file that is gone
    return address


def _is_read(calls: Calls, job: BatchJob) -> Generator[Any, Any, bool]:
    """Whether another job of the same tag goes on, as far as a page of the list shows: there it is if it is new.

    A list may be late, or wrong. It only keeps from deleting here, so nothing is lost by that.
    """
    tag = tag_of(job.display_name)
    key, fingerprint, _ = tag.split("-")
    filter_ = None
    if job.backend is Backend.VERTEX:
        name, value = next(iter(Identity(key, fingerprint).labels().items()))
        filter_ = f"labels.{name}={value}"
    jobs, _ = yield calls.list_jobs(page_size=PAGE_SIZE, page_token=None, filter_=filter_)
    return any(
        tag_of(other.display_name) == tag and other.name != job.name and not other.state.final
        for other in jobs
    )


def _own_input(job: BatchJob) -> str | None:
    """Return the address of a job's input if its name is one that this package gives."""
    if (
        ask_of(job.display_name) is None
    ):  # a word that a user ends a display name with must not pass for a tag
        return None
    tag = tag_of(job.display_name)
    if job.backend is Backend.VERTEX:
        uris = job.source.gcs_uri if job.source else ()
        return uris[0] if len(uris) == 1 and uris[0].rpartition("/")[2] == object_name(tag) else None
    name = file_name(tag)
    if job.source is not None:
        return name if job.source.file_name == name else None
    # The service does not always say which file a job read; a job whose rows are in itself read none.
    return None if job.output.inline and job.verdict is Verdict.ROWS else name
