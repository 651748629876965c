"""Reads and checks an input from any kind of source."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import PASSING, CallError, InputError, NotFound, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.requests.defaults import refuse_media_of_all
from airflow_provider_genai_batch.requests.inline import STAYS_INLINE, check_inline_media, fits_inline
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.request_digest import RequestDigest
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.requests.tables.csv_file import csv_rows
from airflow_provider_genai_batch.requests.tables.parquet_file import parquet_rows
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings
from airflow_provider_genai_batch.requests.tables.rows import dict_rows, jsonl_rows, unzipped
from airflow_provider_genai_batch.requests.tables.values import Row
from airflow_provider_genai_batch.requests.tables.write import TableWriter
from airflow_provider_genai_batch.requests.write import RequestWriter, inline_entries
from airflow_provider_genai_batch.task.files.files import read_chunks, seekable, spool
from airflow_provider_genai_batch.task.files.objects import Objects, expanded
from airflow_provider_genai_batch.task.inputs.bigquery_sample import check_sample
from airflow_provider_genai_batch.task.inputs.enqueued import within
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.queries.rows import KeptRows
from airflow_provider_genai_batch.wire.answers.media import refuse_media
from airflow_provider_genai_batch.wire.catalog.limits import Limits, limits_of
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.lines.entry import entry_line
from airflow_provider_genai_batch.wire.parameters.sources import table_format
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only
from airflow_provider_genai_batch.wire.schemas.json_schema import json_schema_of
from airflow_provider_genai_batch.wire.schemas.output_type import asks_for_type
from airflow_provider_genai_batch.wire.services.gemini import MAX_BODY_BYTES

log = logging.getLogger(__name__)

INLINE = Limits(MAX_BODY_BYTES - 64 * 1024, None, SERVICE_NAMES[Backend.GEMINI])
"""Limits of requests inside a create call, with room for the rest of its body."""
_PROMPT = {"contents"}
"""The only fields of a request that has nothing but a prompt."""


@dataclass(frozen=True)
class InputReader:
    """Reads one input once; `read_input` has the meaning of the fields."""

    stack: ExitStack
    client: GenAIBatchClient
    source: BatchSource
    model: str
    defaults: Any
    prompt: Prompt | None
    several_jobs: bool
    keeps_media: bool = True
    with_ledger: bool = False
    rows: RowSettings = field(default_factory=RowSettings)
    kept: KeptRows | None = None
    """The rows of a query."""

    def read(self) -> PreparedInput:
        """Read and check the input."""
        if not self.keeps_media and self._task is Task.GENERATE:
            refuse_media_of_all(self.defaults, self.client.config.backend, self.model)
        source, backend = self.source, self.client.config.backend
        if self.prompt is not None and source.bigquery_uri:
            msg = (
                f"the rows of {source.bigquery_uri} stay in BigQuery: ask about them with GenAIBatchOperator"
            )
            raise UnsupportedError(msg)
        if self.prompt is not None:
            return self._from_rows(self.prompt)
        if source.inlined_requests is not None and backend is Backend.GEMINI:
            return self._inline(source.inlined_requests)
        if source.requests is not None:
            return self._written(source.requests)
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
        if source.bigquery_uri:
            check_sample(self.client, source.bigquery_uri, self.model, self._check)
        address = source.file_name or source.bigquery_uri or list(source.gcs_uri)
        return self._own_objects() or self._prepared(address, None, keyed=False)

    def _prepared(self, content: Any, requests: int | None, **known: Any) -> PreparedInput:
        backend = self.client.config.backend
        if "keyed" not in known:
            known["keyed"] = not takes_text_only(self.model, backend)
        known = {
            "source": self.source,
            "ledger": self._ledger,
            "asks_for_type": self._check.asks_for_type,
            "stamps": known["keyed"] and bool(requests) and known.get("stamped") == requests,
            **known,
        }
        if "limits" not in known:
            known["limits"] = limits_of(backend, self._task, self.model)
        config = self.client.config
        if config.max_enqueued_tokens:  # a job that alone is above this limit is split
            known["limits"] = within(known["limits"], config.enqueued_tokens_of(self.model))
        return PreparedInput(content=content, requests=requests, backend=backend, stack=self.stack, **known)

    def _from_rows(self, prompt: Prompt) -> PreparedInput:
        """Spool a line for each row of a table, and its columns if the rows can be read only once."""
        once = self.source.stream is not None
        columns = Columns(self.stack.enter_context(spool()), self.rows.columns) if once else None
        keyless = takes_text_only(self.model, self.client.config.backend)
        if keyless and self.rows.key:
            msg = f"{self.model} takes no keys on Vertex AI: leave key out, and join the rows by their text"
            raise UnsupportedError(msg)
        writer = self.table_writer(prompt)
        stream, sha256 = self._spooled(writer.blocks(self.table_rows(prompt, columns)))
        return self._prepared(sha256, writer.rows, **writer.keys.facts(), lines=stream, columns=columns)

    def table_writer(self, prompt: Prompt) -> TableWriter:
        """Return a writer of a line for each row of a table."""
        name = (self.source.path or "") if self.kept is None else self.kept.name
        return TableWriter(
            prompt,
            self.client.config.backend,
            self._task,
            self.model,
            settings=self.rows,
            defaults=self.defaults,
            name=name,
            **self._most,
        )

    def table_rows(self, prompt: Prompt, columns: Columns | None = None) -> Iterator[list[Row]]:
        """Yield the rows of a table, some at a time.

        Args:
            prompt: the template that makes a request from each row.
            columns: stores columns of the rows. Without it, only columns are read that the prompt or a setting names.
        """
        rows = self._rows(
            self.source.path or "", [*self.rows.named(prompt.columns)] if columns is None else None
        )
        return rows if columns is None else columns.kept(rows)

    def _rows(self, path: str, wanted: Sequence[str] | None) -> Iterator[list[Row]]:
        if self.kept is not None:
            yield from jsonl_rows(self.kept.chunks(), self.kept.name)
            return
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

    def _inline(self, items: Iterable[Any]) -> PreparedInput:
        """Prepare requests for sending inside the create call, or in a file if they are too large for it."""
        entries, stamped, key_sum = inline_entries(
            items, self._task, self.model, self.defaults, check=self._check
        )
        if not fits_inline(entries, self._task, self.model):
            if not any(entry["metadata"].keys() - {"key"} for entry in entries):
                stream, sha256 = self._spooled(map(entry_line, entries))
                return self._prepared(sha256, len(entries), stamped=stamped, key_sum=key_sum, lines=stream)
            check_inline_media(entries, self.model)
            log.warning("%s", STAYS_INLINE)
        for _ in self._entered(map(entry_line, entries)) if self.with_ledger else ():
            pass
        known = {"stamped": stamped, "key_sum": key_sum, "keyed": True, "limits": INLINE}
        return self._prepared(digest(entries), len(entries), entries=entries, **known)

    def _written(self, requests: Iterable[Any]) -> PreparedInput:
        """Spool requests that are given as Python objects."""
        backend = self.client.config.backend
        writer = RequestWriter(
            backend, self._task, self.model, self.defaults, check=self._check, **self._most
        )
        stream, sha256 = self._spooled(writer.blocks(requests))
        return self._prepared(sha256, writer.rows, **writer.keys.facts(), lines=stream)

    def _spooled(self, blocks: Iterable[bytes]) -> tuple[BinaryIO, str]:
        """Spool lines, and return the file and the digest of all lines."""
        stream, sha256 = self.stack.enter_context(spool()), hashlib.sha256()
        for block in self._entered(blocks):
            sha256.update(block)
            stream.write(block)
        log.info(
            "The requests are kept on this worker's disk for as long as they are read: %d bytes.",
            stream.tell(),
        )
        return stream, sha256.hexdigest()

    def checked(self, name: str, chunks: Iterable[bytes]) -> PreparedInput:
        """Check and spool lines of requests that already have their defaults."""
        return self._checked(self._preflight(name), chunks)

    def _preflight(
        self, name: str, defaults: Any = None, place: Callable[[int], str] | None = None
    ) -> Preflight:
        return Preflight(
            self.client.config.backend,
            self._task,
            self.model,
            defaults=defaults,
            name=name,
            place=place,
            check=self._check,
            **self._most,
        )

    def _checked(self, check: Preflight, chunks: Iterable[bytes], **known: Any) -> PreparedInput:
        """Check and spool the lines of a file, so that exactly the checked lines are uploaded."""
        stream, sha256 = self._spooled(check.blocks(chunks))
        return self._prepared(sha256, check.rows, **check.keys.facts(), lines=stream, **known)

    def _own_objects(self) -> PreparedInput | None:
        """Check the user's objects in Cloud Storage; return None if they cannot be read here.

        The service reads them in place, unless they lack keys: then a copy with keys is staged. A pattern is replaced
        by the objects that it matches now, so that the service reads what was checked.

        Raises:
            CallError: a call failed; a later attempt may succeed. The content identifies the job, so without it the job
                of an earlier attempt would not be found.
        """
        given = self.source.gcs_uri
        if not given:
            return None
        uris: list[str] = []
        try:
            for pattern in given:
                uris += expanded(self.client, pattern)
            objects = Objects(self.client, uris)
            check = self._preflight(", ".join(given), place=objects.place)
            matched = BatchSource(gcs_uri=tuple(uris))
            prepared = self._checked(check, objects.chunks(), source=matched)
        except NotFound as error:
            raise _no_object(", ".join(uris) or given[0], error) from error
        except PASSING:
            raise
        except CallError as error:
            log.warning("The input could not be checked before submitting it: %s", error)
            return None
        if check.unchanged and not objects.touched:
            return replace(prepared, in_place=True, objects=tuple(zip(uris, objects.ends, strict=True)))
        log.info("%d of %d requests had no key; a copy with keys is staged.", check.keyless, check.rows)
        return prepared

    def _entered(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Yield the lines, some at a time, and add each to the ledger if there is one."""
        if self._ledger is None:
            return blocks
        return self._ledger.passing(blocks, RequestDigest(self.client.config.backend, self.model))

    @cached_property
    def _ledger(self) -> RequestLedger | None:
        return RequestLedger(self.stack.enter_context(spool())) if self.with_ledger else None

    @cached_property
    def _task(self) -> Task:
        return task_of(self.model)

    @cached_property
    def _check(self) -> _Checks:
        checked = self.defaults is not None and json_schema_of(self.defaults) is not None
        return _Checks(self.model, keeps_media=self.keeps_media, checked=checked)

    @property
    def _most(self) -> dict[str, int]:
        """Arguments that lift the limits of one job, if there may be several jobs."""
        return {"max_requests": sys.maxsize, "max_bytes": sys.maxsize} if self.several_jobs else {}


class _Checks:
    """Checks whether the answers to requests can be kept and checked.

    Args:
        model: the model of the job.
        keeps_media: whether pictures and sound are kept.
        checked: whether each answer of the job is checked against a JSON Schema.

    Attributes:
        asks_for_type: whether a request has a response schema.
    """

    def __init__(self, model: str, *, keeps_media: bool, checked: bool) -> None:
        self._model, self._keeps_media, self._said = model, keeps_media, checked
        self.asks_for_type = False

    def __call__(self, request: Mapping[str, Any], where: str) -> None:
        """Check one request.

        Raises:
            RequestError: its answer would not be kept.
        """
        if request.keys() == _PROMPT:  # the model and the defaults have been checked already
            return
        if not self._keeps_media:
            refuse_media(request, self._model)
        self.asks_for_type = self.asks_for_type or asks_for_type(None, request)
        if not self._said and json_schema_of(request) is not None:
            self._said = True
            log.warning(
                "%s has a response_json_schema of its own. Google's batch jobs have answered such schemas badly, "
                "with text that never ends or does not fit, and answers to the schemas of single requests are not "
                "checked. Give one schema for the whole job, in request_defaults or as output_type, and make a job "
                "for each.",
                where,
            )


def _no_object(uri: str, error: NotFound) -> InputError:
    return InputError(f"{uri} does not exist ({error}). Check bucket and name.")
