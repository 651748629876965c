"""Deletes the input that this package uploaded for a job."""

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
    """Delete the input that this package uploaded for an ended job, and nothing else.

    The name of the input is derived from the tag in the job's display name, and compared with what the job read, so a
    user's own file or object is never deleted. All jobs with one tag read the same input. So it also stays if another
    of these jobs has not ended, or if it was uploaded after the job began, for a later job.

    Returns:
        The address that was deleted; None if there was nothing to delete (any more).

    Raises:
        CallError: the service refused, or could not be reached.
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
        return None  # the Files API answers this for a file that is gone
    return address


def _is_read(calls: Calls, job: BatchJob) -> Generator[Any, Any, bool]:
    """Whether another job with the same tag has not ended, according to one page of the list, which has new jobs.

    A list may be late or wrong. Here it can only prevent a deletion, so nothing is lost.
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
    """Return the address of a job's input if it has a name that this package makes."""
    if ask_of(job.display_name) is None:  # the last word of a user's display name must not count as a tag
        return None
    tag = tag_of(job.display_name)
    if job.backend is Backend.VERTEX:
        uris = job.source.gcs_uri if job.source else ()
        return uris[0] if len(uris) == 1 and uris[0].rpartition("/")[2] == object_name(tag) else None
    name = file_name(tag)
    if job.source is not None:
        return name if job.source.file_name == name else None
    # The service does not always say which file a job read. A job with inline rows read no file.
    return None if job.output.inline and job.verdict is Verdict.ROWS else name
