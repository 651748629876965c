"""A task's input: read and checked before anything is paid, then put where the service reads it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import (
    PASSING,
    CallError,
    ConfigurationError,
    InputError,
    NotFound,
    UnsupportedError,
)
from airflow_provider_genai_batch.flows.identity import Identity, digest, file_name, object_name
from airflow_provider_genai_batch.hooks.files import read_chunks, seekable, spool
from airflow_provider_genai_batch.hooks.pieces import Sums, Wanted, keyed_lines, shards, subset
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.limits import Limits, limits_of
from airflow_provider_genai_batch.rows.preflight import Preflight
from airflow_provider_genai_batch.rows.requests import inline_entries, request_lines
from airflow_provider_genai_batch.rows.table import dict_rows, jsonl_rows, table_lines, unzipped
from airflow_provider_genai_batch.rows.table_columns import Columns
from airflow_provider_genai_batch.rows.table_csv import csv_rows
from airflow_provider_genai_batch.rows.table_parquet import parquet_rows
from airflow_provider_genai_batch.rows.table_prompt import Prompt, Row
from airflow_provider_genai_batch.wire.create import task_of
from airflow_provider_genai_batch.wire.embed import takes_text_only
from airflow_provider_genai_batch.wire.gemini import MAX_BODY_BYTES
from airflow_provider_genai_batch.wire.only import SERVICE_NAMES
from airflow_provider_genai_batch.wire.sources import table_format

if TYPE_CHECKING:
    from airflow_provider_genai_batch.hooks.order import Order

log = logging.getLogger(__name__)

INLINE = Limits(MAX_BODY_BYTES - 64 * 1024, None, SERVICE_NAMES[Backend.GEMINI])
"""Of requests inside a create call, with room for what stands around them."""


@dataclass(frozen=True)
class Intake:
    """An input that has been read and found good; what it reads from is there until `take_in` ends."""

    source: BatchSource
    """Where it came from."""
    content: Any
    """What decides the answers: a digest of the lines, or an address."""
    backend: Backend
    limits: Limits
    """Of one job."""
    stack: ExitStack = field(repr=False)
    """Closes what is opened for it."""
    requests: int | None = None
    """How many, None when they could not be read."""
    stamped: int = 0
    """How many of their keys are stamps of their place in the input, counted from `first`."""
    first: int = 0
    """The place of the first one in the whole input, of which this may be a part."""
    stamps: bool = False
    """Whether all keys are stamps of places in the whole input."""
    key_sum: int | None = None
    """Stands for the set of keys, see `rows.ledger.KeyLedger`."""
    keyed: bool = True
    """Whether every request has a key that its row brings back."""
    entries: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Gemini inline requests."""
    lines: BinaryIO | None = field(default=None, repr=False)
    """The JSONL that was checked."""
    in_place: bool = False
    """The service reads the lines where they came from; else they are yet to be uploaded."""
    objects: tuple[tuple[str, int], ...] = ()
    """Of an input in place: its objects, and where in `lines` each ends."""

    def place(self, client: GenAIBatchClient, identity: Identity, staging: str | None) -> BatchSource | None:
        """Upload what has to be, under a name that the next attempt finds again; None: it travels inline.

        Raises:
            ConfigurationError: Vertex AI needs a place to stage and there is none.
        """
        if self.entries:
            return None
        if self.lines is None or self.in_place:
            return self.source
        self.lines.seek(0)
        if client.config.backend is Backend.GEMINI:
            name = file_name(identity.tag)
            return BatchSource(file_name=client.upload(self.lines, name=name, display_name=identity.tag))
        if staging is None:
            msg = (
                "Vertex AI reads its input from Cloud Storage, and there is no place to stage it: set "
                '"staging_uri" (gs://bucket/prefix/) in the connection, or give dest as gs://bucket/prefix/.'
            )
            raise ConfigurationError(msg)
        uri = f"{staging.rstrip('/')}/{object_name(identity.tag)}"
        return BatchSource(gcs_uri=(client.upload(self.lines, uri, reuse=True),))

    @property
    def readable(self) -> bool:
        """Whether its requests are at hand."""
        return bool(self.entries) or self.lines is not None

    def keys(self) -> Iterator[str]:
        """Give the keys of all requests in order."""
        for entry in self.entries:
            yield entry["metadata"]["key"]
        if self.lines is not None:
            yield from (key for key, _ in keyed_lines(self.lines, self.backend) if key is not None)

    def subset(self, wanted: Wanted) -> Intake | None:
        """Return an input of the wanted requests alone, their keys and order as they are.

        Args:
            wanted: takes the key, and the place in the whole input where `stamps` says that keys tell it (else None).

        Returns:
            None when the requests cannot be read, or have no keys.

        Raises:
            InputError: none is wanted.
        """
        return subset(self, wanted)

    def shards(self, max_rows: int | None = None, max_bytes: int | None = None) -> list[Intake]:
        """Cut the input into consecutive pieces for several jobs; one that is within the limits is itself the piece.

        Pieces read from the same lines and are not copied. Objects that the service reads in place are grouped whole;
        one that is too large by itself is staged in pieces. An input that could not be read is one piece.

        Args:
            max_rows: of a piece; never more than the service takes in one job.
            max_bytes: of a piece's lines, likewise.

        Raises:
            RequestError: one request alone is too large.
        """
        return shards(self, max_rows, max_bytes)


@contextmanager
def take_in(
    client: GenAIBatchClient,
    source: BatchSource,
    *,
    model: str,
    request_defaults: Any = None,
    prompt: Prompt | None = None,
    several_jobs: bool = False,
) -> Iterator[Intake]:
    """Read and check an input; its lines are there until the block ends.

    Args:
        client: of the task's connection.
        source: where the requests are, or the rows that `prompt` makes requests of.
        model: the job's.
        request_defaults: merged into every request that is written.
        prompt: a template over columns; None where the source has requests.
        several_jobs: the input may be larger than one job takes, see `Intake.shards`.

    Raises:
        InputError: a file or a request is not usable; the message names the line.
    """
    with ExitStack() as stack:
        yield _Reading(stack, client, source, model, request_defaults, prompt, several_jobs).read()


def keys_of(client: GenAIBatchClient, order: Callable[[], Order], key_sum: int | None) -> list[str] | None:
    """Read an input once more for its keys; None if it is not to be had any more, or not what it was.

    Args:
        client: of the task's connection.
        order: reads the task's parameters, whose input may be gone or read out by now.
        key_sum: of the keys that were asked for.
    """
    try:
        asked = order()
        with take_in(
            client,
            asked.source,
            model=asked.model,
            request_defaults=asked.request_defaults,
            prompt=asked.prompt,
        ) as intake:
            if not intake.keyed:
                return None
            if intake.key_sum != key_sum:
                log.warning("The keys of missing rows are not known: the input is not what it was.")
                return None
            return list(intake.keys())
    except (InputError, ConfigurationError) as error:
        log.warning("The keys of missing rows are not known, the input cannot be read again: %s", error)
        return None


@contextmanager
def columns_of(
    client: GenAIBatchClient, order: Callable[[], Order], content: Any
) -> Iterator[Callable[[int], Mapping[str, Any]] | None]:
    """Read a table once more for what rows carry through to the output: all columns of their input row.

    Args:
        client: of the task's connection.
        order: reads the task's parameters, whose input may be gone or read out by now.
        content: of the whole intake that the job was made of.

    Yields:
        The columns by a row's place in the input, from 0, while the block lasts. None: the input is no table; or it is
        not to be had any more or not what it was, which is logged.
    """
    with ExitStack() as stack:
        yield _columns(stack, client, order, content)


def _columns(
    stack: ExitStack, client: GenAIBatchClient, order: Callable[[], Order], content: Any
) -> Columns | None:
    try:
        asked = order()
        if asked.prompt is None:
            return None
        reading = _Reading(
            stack, client, asked.source, asked.model, asked.request_defaults, asked.prompt, several_jobs=True
        )
        columns, sums = Columns(stack.enter_context(spool())), Sums()
        for line in reading.table_lines(asked.prompt, columns):
            sums.add(None, line)
    except PASSING:
        raise
    except (InputError, ConfigurationError, CallError) as error:
        log.warning("Rows go without the columns of their input, which cannot be read again: %s", error)
        return None
    if sums.sha256 != content:
        log.warning("Rows go without the columns of their input: it is not what it was.")
        return None
    return columns


def staging_place(client: GenAIBatchClient, destination: BatchDestination | None) -> str | None:
    """Return the ``gs://`` prefix for inputs: the connection's, else one below the destination."""
    if client.config.staging_uri:
        return client.config.staging_uri
    if destination is not None and destination.gcs_uri:
        return f"{destination.gcs_uri.rstrip('/')}/input"
    return None


class _Reading(NamedTuple):
    """One look at an input."""

    stack: ExitStack
    client: GenAIBatchClient
    source: BatchSource
    model: str
    defaults: Any
    prompt: Prompt | None
    several_jobs: bool

    def read(self) -> Intake:
        """Read what the source names."""
        source, backend = self.source, self.client.config.backend
        if self.prompt is not None:
            return self._from_rows(self.prompt)
        if source.inlined_requests is not None and backend is Backend.GEMINI:
            return self._inline(source.inlined_requests)
        if source.requests is not None:
            task, most = task_of(self.model), self._most
            return self._written(
                request_lines(source.requests, backend, task, self.model, self.defaults, **most)
            )
        if source.path:
            chunks = read_chunks(source.path, self.client)
            return self._checked(self._preflight(source.path, self.defaults), chunks)
        if self.defaults is not None:
            msg = (
                "request_defaults are merged into requests that this package writes, and "
                f"{source.file_name or source.bigquery_uri or source.gcs_uri[0]} goes to the service as "
                "it is. Put the fields into the requests there, or give a list or a file to upload."
            )
            raise UnsupportedError(msg)
        address = source.file_name or source.bigquery_uri or list(source.gcs_uri)
        return self._own_objects() or self._intake(address, None, keyed=False)

    def _intake(self, content: Any, requests: int | None, **known: Any) -> Intake:
        backend = self.client.config.backend
        keyed = not takes_text_only(self.model, backend)
        known = {
            "source": self.source,
            "limits": limits_of(backend, task_of(self.model), self.model),
            "keyed": keyed,
            "stamps": keyed and bool(requests) and known.get("stamped") == requests,
            **known,
        }
        return Intake(content=content, requests=requests, backend=backend, stack=self.stack, **known)

    def _from_rows(self, prompt: Prompt) -> Intake:
        """Spool a line for each row of a table."""
        stream, sums = self.stack.enter_context(spool()), Sums()
        keyless = takes_text_only(self.model, self.client.config.backend)
        for line in self.table_lines(prompt):
            if keyless:
                sums.add(None, line)
            else:
                sums.add_stamped(line)
            stream.write(line)
        return self._intake(sums.sha256, **sums.told(), lines=stream)

    def table_lines(self, prompt: Prompt, columns: Columns | None = None) -> Iterator[bytes]:
        """Write a line for each row of a table.

        Args:
            prompt: makes a request of each.
            columns: keeps all columns of the rows; without it only those are read that the prompt names.
        """
        name = self.source.path or ""
        rows = self._rows(name, prompt.columns if columns is None else None)
        return table_lines(
            rows if columns is None else columns.kept(rows),
            prompt,
            self.client.config.backend,
            task_of(self.model),
            self.model,
            defaults=self.defaults,
            name=name,
            **self._most,
        )

    def _rows(self, path: str, wanted: Sequence[str] | None) -> Iterator[Row]:
        if not path:
            yield from dict_rows(self.source.requests or ())
            return
        try:
            if table_format(path) == "parquet":
                yield from parquet_rows(self.stack.enter_context(seekable(path, self.client)), path, wanted)
                return
            read = csv_rows if table_format(path) == "csv" else jsonl_rows
            yield from read(unzipped(read_chunks(path, self.client), path), path)
        except NotFound as error:
            raise _no_object(path, error) from error

    def _inline(self, items: Iterable[Any]) -> Intake:
        """Take requests that travel inside the create call."""
        task, sums = task_of(self.model), Sums()
        entries = tuple(inline_entries(items, task, self.model, self.defaults))
        for entry in entries:
            sums.add(entry["metadata"]["key"])
        return self._intake(digest(entries), **sums.told(), entries=entries, limits=INLINE)

    def _written(self, lines: Iterable[tuple[str | None, bytes]]) -> Intake:
        """Spool requests that are given in Python."""
        stream, sums = self.stack.enter_context(spool()), Sums()
        for key, line in lines:
            sums.add(key, line)
            stream.write(line)
        return self._intake(sums.sha256, **sums.told(), lines=stream)

    def _preflight(self, name: str, defaults: Any = None) -> Preflight:
        backend, task = self.client.config.backend, task_of(self.model)
        return Preflight(backend, task, self.model, defaults=defaults, name=name, **self._most)

    def _checked(self, check: Preflight, chunks: Iterable[bytes], **known: Any) -> Intake:
        """Spool the lines of a file that is found good: what is uploaded is what was checked."""
        stream = self.stack.enter_context(spool())
        stream.writelines(check.lines(chunks))
        return self._intake(
            check.sha256, check.rows, stamped=check.stamped, key_sum=check.key_sum, lines=stream, **known
        )

    def _own_objects(self) -> Intake | None:
        """Check the user's own objects in Cloud Storage; None where they cannot be read from here.

        They are used where they are, unless they need writing anew, for lack of keys: then a copy is staged. A pattern
        becomes the objects that it matches now, so that the service reads what was checked.

        Raises:
            CallError: trouble that may pass. What they hold decides whose job this is: without it an earlier attempt's
                job would not be found.
        """
        given = self.source.gcs_uri
        if not given:
            return None
        uris: list[str] = []
        ends: list[int] = []
        try:
            for pattern in given:
                uris += _expanded(self.client, pattern)
            check = self._preflight(uris[0] if len(uris) == 1 else "the input")
            matched = BatchSource(gcs_uri=tuple(uris))
            intake = self._checked(check, _joined(self.client, uris, ends), source=matched)
        except NotFound as error:
            raise _no_object(", ".join(uris) or given[0], error) from error
        except PASSING:
            raise
        except CallError as error:
            log.warning("The input could not be checked before submitting it: %s", error)
            return None
        if check.unchanged:
            return replace(intake, in_place=True, objects=tuple(zip(uris, ends, strict=True)))
        log.info("%d of %d requests had no key; a copy with keys is staged.", check.stamped, check.rows)
        return intake

    @property
    def _most(self) -> dict[str, int]:
        """Stands in for the limits of one job where there may be several."""
        return {"max_rows": sys.maxsize, "max_bytes": sys.maxsize} if self.several_jobs else {}


def _no_object(uri: str, error: NotFound) -> InputError:
    return InputError(f"{uri} does not exist ({error}). Check bucket and name.")


def _joined(client: GenAIBatchClient, uris: Iterable[str], ends: list[int]) -> Iterator[bytes]:
    """Stream objects one after the other, each ending its last line; notes in `ends` where each does."""
    size = 0
    for uri in uris:
        last = b"\n"
        for chunk in client.download(uri):
            last = chunk or last
            size += len(chunk)
            yield chunk
        if not last.endswith(b"\n"):
            size += 1
            yield b"\n"
        ends.append(size)


def _expanded(client: GenAIBatchClient, pattern: str) -> list[str]:
    """Give the objects that a pattern matches; ``*`` stands for part of one name between slashes.

    Rows that a job wrote below its input must not become input of the next attempt, which would then ask for more.
    """
    if "*" not in pattern:
        return [pattern]
    prefix = pattern.split("*", 1)[0]
    matches = re.compile(re.escape(pattern).replace(r"\*", "[^/]*")).fullmatch
    found: list[str] = []
    token: str | None = None
    while token != "":
        objects, token = client.perform(client.calls.list_objects(prefix, page_token=token))
        found += [o.uri for o in objects if matches(o.uri)]
    if not found:
        msg = f"No object matches {pattern}."
        raise InputError(msg)
    return found
