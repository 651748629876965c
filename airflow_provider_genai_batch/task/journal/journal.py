"""The journal of a round of immediate calls: parts with its answers, beside the rows.

A part has result lines in the format of a job's output. Its name says who wrote it, how many lines it has and when it
was written, so a list of names shows the progress of the round. The folder's name begins with an underscore, and parts
have another file ending than rows, so tools that read a whole folder of rows skip them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.downloads import Lines
from airflow_provider_genai_batch.exceptions import CallError, InputError, TransportError
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job import JobCounts, JobOutput
from airflow_provider_genai_batch.models.jobs.journal import Writer, folder_beside
from airflow_provider_genai_batch.results.keys.key_set import KeySet
from airflow_provider_genai_batch.results.read import RowReader
from airflow_provider_genai_batch.task.files.files import put_once, read_chunks
from airflow_provider_genai_batch.task.files.listing import file_names
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.keys import read_key

_PART = re.compile(r"([a-z]+-[0-9]{10}-[0-9a-f]{8})_([0-9]{6})_([0-9]+)_([0-9]+)\.answers")


class _Keyed(Struct, gc=False):
    key: str | None = None


_decoder = Decoder(_Keyed)


@dataclass(frozen=True)
class Part:
    """Lines that were written together.

    Attributes:
        name: name of its file.
        writer: its writer, see `models.jobs.journal.Writer.name`.
        lines: number of lines.
        at: when it was written, in seconds since the epoch.
    """

    name: str
    writer: str
    lines: int
    at: int

    @classmethod
    def named(cls, writer: str, number: int, lines: int, at: float) -> Part:
        """Name a part."""
        return cls(f"{writer}_{number:06d}_{lines}_{int(at)}.answers", writer, lines, int(at))


class Journal:
    """The journal of one round.

    Args:
        client: the client of the task's connection.
        results_uri: where the rows of the task land.
        tag: tag of the round.
        model: the model of the calls.

    Attributes:
        folder: address of the journal's folder.
    """

    def __init__(self, client: GenAIBatchClient, results_uri: str, tag: str, model: str | None) -> None:
        self._client, self._tag, self._model = client, tag, model
        self.folder = folder_beside(results_uri, tag)

    def write(self, part: Part, lines: Sequence[bytes]) -> None:
        """Write a part; its lines are durable when this returns.

        Raises:
            OSError: it cannot be written.
        """
        put_once(f"{self.folder}/{part.name}", self._client, b"".join(lines))

    def parts(self) -> list[Part]:
        """Return the existing parts, for each writer in the order of writing.

        Raises:
            TransportError: they cannot be listed.
        """
        try:
            names = file_names(self.folder, self._client)
        except OSError as error:
            msg = f"{self.folder} cannot be listed: {error}"
            raise TransportError(msg) from error
        found = [(name, _PART.fullmatch(name)) for name in names]
        return [Part(name, one[1], int(one[3]), int(one[4])) for name, one in found if one]

    def keys(self, parts: Sequence[Part]) -> KeySet:
        """Return the keys of all lines in parts.

        Raises:
            TransportError: they cannot be read.
        """
        marked, keys = self._client.config.backend is Backend.VERTEX, KeySet()
        for line in self.lines(parts):
            try:
                key = _decoder.decode(line).key
            except (DecodeError, ValueError):  # before msgspec 0.21 its own is no ValueError
                continue
            if key is not None:
                keys.add(read_key(key) if marked else key)
        return keys

    def lines(self, parts: Sequence[Part]) -> Iterator[bytes]:
        """Yield all lines in parts.

        Raises:
            TransportError: they cannot be read.
        """
        for part in parts:
            yield from b"".join(self._chunks(part)).splitlines()

    def jobs(self, parts: Sequence[Part]) -> list[BatchJob]:
        """Return the answers of each writer as an ended job, the earliest first."""
        writers = dict.fromkeys(part.writer for part in parts)
        return sorted((self.job(name, parts) for name in writers), key=_begun)

    def job(self, writer: str, parts: Sequence[Part], *, stopped: bool = False) -> BatchJob:
        """Return the answers of a writer as an ended job.

        Args:
            writer: the writer's name.
            parts: parts of all writers.
            stopped: whether it could not send all its requests.
        """
        who, own = Writer(self._tag, writer), [part for part in parts if part.writer == writer]
        number = sum(part.lines for part in own)
        state = JobState.PARTIALLY_SUCCEEDED if stopped else JobState.SUCCEEDED
        end = max((part.at for part in own), default=None)
        return BatchJob(
            name=who.job_name,
            backend=self._client.config.backend,
            model=self._model,
            display_name=f"online {self._tag}",
            state=state if number else JobState.CANCELLED,  # a state in which no rows are expected
            create_time=who.begun,
            start_time=who.begun,
            end_time=None if end is None else datetime.fromtimestamp(end, timezone.utc),
            counts=JobCounts(succeeded=number),
            output=JobOutput(journal=self.folder),
        )

    def rows(self, job: BatchJob, reading: Reading) -> Iterator[PlainRow]:
        """Read the rows of a writer.

        Raises:
            TransportError: they cannot be read.
        """
        who, lines = Writer.of(job.name), Lines(job)
        reading = replace(reading, asked=who.tier)
        for part in self.parts():
            if part.writer == who.name:
                reader = RowReader(job.backend, reading)
                for chunk in self._chunks(part):
                    yield from reader.feed(chunk)
                yield from reader.end()
                lines.took(reader)

    def _chunks(self, part: Part) -> Iterator[bytes]:
        try:
            yield from read_chunks(f"{self.folder}/{part.name}", self._client)
        except (InputError, CallError) as error:
            msg = f"the journal of immediate calls cannot be read: {error}"
            raise TransportError(msg) from error


def journal_of(client: GenAIBatchClient, results_uri: str, job_name: str, model: str | None) -> Journal:
    """Return the journal with the rows of the job with this name."""
    return Journal(client, results_uri, Writer.of(job_name).tag, model)


def get_journaled(
    client: GenAIBatchClient, results_uri: str | None, job_name: str, model: str | None
) -> BatchJob:
    """Return the answers of a writer as an ended job, by its name.

    Raises:
        TransportError: the parts cannot be listed.
        InputError: the task no longer lands rows, so the place of the journal is unknown.
    """
    if results_uri is None:
        msg = f"The answers of {job_name} are beside the rows of the task, which no longer has a results_uri."
        raise InputError(msg)
    journal = journal_of(client, results_uri, job_name, model)
    return journal.job(Writer.of(job_name).name, journal.parts())


def journaled_rows(client: GenAIBatchClient, job: BatchJob, reading: Reading) -> Iterator[PlainRow]:
    """Read the rows of a job whose answers are in a journal; see `Journal.rows`."""
    assert job.output.journal is not None  # noqa: S101 - else it is none
    beside = job.output.journal  # its folder is beside the rows, whatever their name
    yield from journal_of(client, beside, job.name, job.model).rows(job, reading)


def _begun(job: BatchJob) -> tuple[float, str]:
    return (job.create_time.timestamp() if job.create_time else 0.0), job.name
