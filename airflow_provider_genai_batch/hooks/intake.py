"""A task's input: read and checked before anything is paid, then put where the service reads it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic_core import from_json

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
from airflow_provider_genai_batch.hooks.files import read_chunks, spool
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.ledger import MASK, key_digest
from airflow_provider_genai_batch.rows.lines import LineReader
from airflow_provider_genai_batch.rows.preflight import Preflight
from airflow_provider_genai_batch.rows.requests import inline_entries, request_lines
from airflow_provider_genai_batch.wire.create import task_of
from airflow_provider_genai_batch.wire.embed import takes_text_only
from airflow_provider_genai_batch.wire.keys import read_key, stamp

if TYPE_CHECKING:
    from airflow_provider_genai_batch.hooks.order import Order

log = logging.getLogger(__name__)


@dataclass
class Intake:
    """An input that has been read and found good."""

    source: BatchSource
    """Where it came from."""
    content: Any
    """What decides the answers: a digest of the lines, or an address."""
    requests: int | None = None
    """How many, None when they could not be read."""
    stamped: int = 0
    """How many of their keys are stamps of their place in the input."""
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

    def keys(self, backend: Backend) -> Iterator[str]:
        """Give the keys of all requests in order, while the input is open."""
        for entry in self.entries:
            yield entry["metadata"]["key"]
        if self.lines is not None:
            self.lines.seek(0)
            reader = LineReader()
            while chunk := self.lines.read(1024 * 1024):
                for line in reader.feed(chunk):
                    if "key" in line:
                        yield read_key(line["key"]) if backend is Backend.VERTEX else line["key"]


@contextmanager
def take_in(
    client: GenAIBatchClient, source: BatchSource, *, model: str, request_defaults: Any = None
) -> Iterator[Intake]:
    """Read and check an input; its lines are there until the block ends.

    Raises:
        InputError: a file or a request is not usable; the message names the line.
    """
    backend, task = client.config.backend, task_of(model)
    check = Preflight(backend, task, model, defaults=request_defaults, name=source.path or "")
    items = source.inlined_requests
    with ExitStack() as stack:
        if items is not None and backend is Backend.GEMINI:
            entries = tuple(inline_entries(items, task, model, request_defaults))
            keys = [entry["metadata"]["key"] for entry in entries]
            stamped = sum(key == stamp(index) for index, key in enumerate(keys))
            key_sum = sum(map(key_digest, keys)) & MASK
            yield Intake(source, digest(entries), len(entries), stamped, key_sum, entries=entries)
        elif items is not None:
            yield _written(stack, source, request_lines(items, backend, task, model, request_defaults), model)
        elif source.path:
            yield _checked(stack, source, check, read_chunks(source.path, client), model)
        else:
            if request_defaults is not None:
                msg = (
                    "request_defaults are merged into requests that this package writes, and "
                    f"{source.file_name or source.bigquery_uri or source.gcs_uri[0]} goes to the service as "
                    "it is. Put the fields into the requests there, or give a list or a file to upload."
                )
                raise UnsupportedError(msg)
            address = source.file_name or source.bigquery_uri or list(source.gcs_uri)
            yield _own_objects(stack, client, source, model) or Intake(source, address, keyed=False)


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
            client, asked.source, model=asked.model, request_defaults=asked.request_defaults
        ) as intake:
            if not intake.keyed:
                return None
            if intake.key_sum != key_sum:
                log.warning("The keys of missing rows are not known: the input is not what it was.")
                return None
            return list(intake.keys(client.config.backend))
    except (InputError, ConfigurationError) as error:
        log.warning("The keys of missing rows are not known, the input cannot be read again: %s", error)
        return None


def staging_place(client: GenAIBatchClient, destination: BatchDestination | None) -> str | None:
    """Return the ``gs://`` prefix for inputs: the connection's, else one below the destination."""
    if client.config.staging_uri:
        return client.config.staging_uri
    if destination is not None and destination.gcs_uri:
        return f"{destination.gcs_uri.rstrip('/')}/input"
    return None


def _written(stack: ExitStack, source: BatchSource, lines: Iterable[bytes], model: str) -> Intake:
    """Spool requests that were given in Python."""
    stream, content = stack.enter_context(spool()), sha256()
    rows = stamped = key_sum = 0
    keyed = not takes_text_only(model, Backend.VERTEX)
    for line in lines:
        if keyed:
            key = read_key(from_json(line)["key"])
            stamped += key == stamp(rows)
            key_sum = (key_sum + key_digest(key)) & MASK
        rows += 1
        content.update(line)
        stream.write(line)
    return Intake(source, content.hexdigest(), rows, stamped, key_sum, keyed, lines=stream)


def _checked(
    stack: ExitStack, source: BatchSource, check: Preflight, chunks: Iterable[bytes], model: str
) -> Intake:
    """Spool the lines of a file that is found good: what is uploaded is what was checked."""
    stream = stack.enter_context(spool())
    stream.writelines(check.lines(chunks))
    keyed = not takes_text_only(model, Backend.VERTEX)
    return Intake(source, check.sha256, check.rows, check.stamped, check.key_sum, keyed, lines=stream)


def _own_objects(
    stack: ExitStack, client: GenAIBatchClient, source: BatchSource, model: str
) -> Intake | None:
    """Check the user's own objects in Cloud Storage; None where they cannot be read from here.

    They are used where they are, unless they need writing anew, for lack of keys: then a copy is staged. A pattern
    becomes the objects that it matches now, so that the service reads what was checked.

    Raises:
        CallError: trouble that may pass. What they hold decides whose job this is: without it an earlier attempt's
            job would not be found.
    """
    if not source.gcs_uri:
        return None
    uris: list[str] = []
    try:
        for pattern in source.gcs_uri:
            uris += _expanded(client, pattern)
        name = uris[0] if len(uris) == 1 else "the input"
        check = Preflight(Backend.VERTEX, task_of(model), model, name=name)
        matched = BatchSource(gcs_uri=tuple(uris))
        intake = _checked(stack, matched, check, _joined(client, uris), model)
    except NotFound as error:
        msg = f"{', '.join(uris) or source.gcs_uri[0]} does not exist ({error}). Check bucket and name."
        raise InputError(msg) from error
    except PASSING:
        raise
    except CallError as error:
        log.warning("The input could not be checked before submitting it: %s", error)
        return None
    intake.in_place = check.unchanged
    if not intake.in_place:
        log.info("%d of %d requests had no key; a copy with keys is staged.", check.stamped, check.rows)
    return intake


def _joined(client: GenAIBatchClient, uris: Iterable[str]) -> Iterator[bytes]:
    """Stream objects one after the other, each ending its last line."""
    last = b"\n"
    for uri in uris:
        if not last.endswith(b"\n"):
            yield b"\n"
        for chunk in client.download(uri):
            last = chunk or last
            yield chunk


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
