"""Rows for downstream tasks, read from where they landed or else from the service. Light to import."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_genai_batch.task.settings.job_names import read_manifest

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.exceptions import InputError
    from airflow_provider_genai_batch.models import Manifest, ResultRow
    from airflow_provider_genai_batch.task.landing.landing import Landing


def rows_of(
    client: GenAIBatchClient, manifest: Any, *, output_type: Any, keep: str | None, truncated: str
) -> Iterator[ResultRow]:
    """Yield the rows of one or several manifests; see `hooks.genai_batch.read_rows`."""
    one = manifest is None or isinstance(manifest, (str, Mapping)) or hasattr(manifest, "job_names")
    for each in [manifest] if one else manifest:
        yield from _rows(client, read_manifest(each), partial(_landing, output_type, keep, truncated))


def _landing(output_type: Any, keep: str | None, truncated: str, media_uri: str | None) -> Landing:
    from airflow_provider_genai_batch.task.checks.values import check_answers
    from airflow_provider_genai_batch.task.landing.landing import Landing
    from airflow_provider_genai_batch.wire.answers.answer import AnswerSettings
    from airflow_provider_genai_batch.wire.schemas.output_type import answer_check

    check_answers("keep", keep)
    check_answers("truncated", truncated)
    validate = None if output_type is None else answer_check(output_type)
    answers = AnswerSettings(keep, truncated)
    return Landing(media_uri=media_uri, validate=validate, answers=answers, submits=False)


def _rows(
    client: GenAIBatchClient, manifest: Manifest, wanted: Callable[[str | None], Landing]
) -> Iterator[ResultRow]:
    from airflow_provider_genai_batch.results.read_back import landed_rows
    from airflow_provider_genai_batch.results.sinks import check_results_uri, form_of
    from airflow_provider_genai_batch.task.files.files import seekable, spool

    uri = manifest.results_uri
    if uri and uri.startswith("bq://"):
        from airflow_provider_genai_batch.exceptions import UnsupportedError

        msg = f"The rows are in the table {uri} and pass no worker: read them with SQL."
        raise UnsupportedError(msg)
    if uri:
        check_results_uri(uri)
        if "*" in uri:
            yield from _all_of(manifest, _of_dataset(uri, client))
            return
        with seekable(uri, client) as stream:
            _check_own(manifest, stream)
            yield from _all_of(manifest, landed_rows(stream, form_of(uri)))
        return
    with spool() as stream:
        _fetch(client, manifest.job_names, stream, wanted(manifest.media_uri))
        stream.seek(0)
        yield from landed_rows(stream, "jsonl")


def _of_dataset(pattern: str, client: GenAIBatchClient) -> Iterator[ResultRow]:
    """Yield the rows of a group of tasks that has one file for each part."""
    from airflow_provider_genai_batch.results.read_back import landed_rows
    from airflow_provider_genai_batch.results.sinks import form_of
    from airflow_provider_genai_batch.task.files.files import matching_files, seekable

    for uri in matching_files(pattern, client):
        with seekable(uri, client) as stream:
            yield from landed_rows(stream, form_of(uri))


def _check_own(manifest: Manifest, stream: BinaryIO) -> None:
    """Refuse a file that has been overwritten with the same number of rows, or that cannot be read.

    `_all_of` refuses another number of rows.
    """
    from airflow_provider_genai_batch.results.digest import digest_of
    from airflow_provider_genai_batch.results.read_back import count_rows
    from airflow_provider_genai_batch.results.sinks import form_of

    if manifest.results_digest is not None and digest_of(stream) != manifest.results_digest:
        stream.seek(0)
        landed = manifest.counts.total if manifest.counts else None
        try:
            found = count_rows(stream, form_of(str(manifest.results_uri)))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise _written_again(manifest, "unreadable", landed) from error
        if landed in (None, found):
            raise _written_again(manifest, f"{found} other", landed)
    stream.seek(0)


def _all_of(manifest: Manifest, rows: Iterator[ResultRow]) -> Iterator[ResultRow]:
    """Yield the rows of a file; raise `InputError` if there are more or fewer than were landed there."""
    number, landed = 0, manifest.counts.total if manifest.counts else None
    for number, row in enumerate(rows, 1):
        if landed is not None and number > landed:
            raise _written_again(manifest, f"more than {landed}", landed)
        yield row
    if landed not in (None, number):
        raise _written_again(manifest, str(number), landed)


def _written_again(manifest: Manifest, found: str, landed: int | None) -> InputError:
    from airflow_provider_genai_batch.exceptions import InputError

    return InputError(
        f"{manifest.results_uri} has {found} rows, and {landed} of {', '.join(manifest.job_names)} were landed there: "
        "it has been overwritten since, for example by another mapped task or run with the same results_uri, so its "
        "rows are not those of this manifest. Give each its own name, for example with {{ ti.map_index }} or {{ "
        "ts_nodash }} "
        "in it, and clear the task that lands its rows."
    )


def _fetch(client: GenAIBatchClient, names: Sequence[str], out: BinaryIO, landing: Landing) -> None:
    """Write the rows of several jobs and rounds into a temporary file."""
    from airflow_provider_genai_batch.exceptions import InputError
    from airflow_provider_genai_batch.task.landing.job_rows import write_rows
    from airflow_provider_genai_batch.task.landing.media import MediaFolder
    from airflow_provider_genai_batch.task.landing.not_landed import tell_what_did_not_land

    jobs = [client.get(name) for name in names]
    if going := [job.name for job in jobs if not job.done]:
        msg = (
            f"{', '.join(going)} has not ended, so its rows cannot be read. Wait with GenAIBatchSensor first."
        )
        raise InputError(msg)
    # The task wrote the files: their names and digests follow from the answers.
    media = MediaFolder(landing.media_uri, client, write=False) if landing.media_uri else None
    tally = write_rows(client, jobs, landing, out, media)
    tell_what_did_not_land(tally)
    if not tally.rows_read:  # if no row came, the missing ones are not written either
        out.seek(0)
        out.truncate()
