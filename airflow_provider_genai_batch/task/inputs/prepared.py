"""An input that has been read and found good: put where the service reads it, split, asked for its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from pydantic_core import from_json

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, file_name, object_name
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.requests.token_estimate import TokenEstimate
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger
from airflow_provider_genai_batch.task.inputs.parts import InputDigest, keyed_lines
from airflow_provider_genai_batch.task.tables.staged import StagedTable
from airflow_provider_genai_batch.wire.catalog.limits import Limits
from airflow_provider_genai_batch.wire.lines.entry import entry_key, entry_line


@dataclass(frozen=True)
class PreparedInput:
    """An input that has been read and found good; what it reads from is there until `read_input` ends."""

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
    """Stands for the set of keys, see `requests.duplicate_keys.DuplicateKeyFinder`; None: they are stamps of places."""
    asks_for_type: bool = False
    """One of the requests has a response schema of its own."""
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
    columns: Columns | None = field(default=None, repr=False)
    """Of the rows of a table that can be read only once."""
    ledger: RequestLedger | None = field(default=None, repr=False)
    """Of the whole input, where it was wanted: digest and key of each request."""
    reduced: bool = False
    """Requests were left out, for they have rows already: the rest are not known by the whole input's digest."""
    outputs: tuple[str, ...] = ()
    """Tables of earlier jobs: the service asks what failed in them and copies the rest."""
    table: StagedTable | None = field(default=None, repr=False)
    """Rows of a table in BigQuery, of which requests are made there."""
    snapshot: str | None = None
    """The table in BigQuery that keeps the rows of which the lines were made."""

    tokens: TokenEstimate | None = None
    """Of rows in BigQuery, where they were counted."""

    def place(self, client: GenAIBatchClient, identity: Identity, staging: str | None) -> BatchSource | None:
        """Upload what has to be, under a name that the next attempt finds again; None: it travels inline.

        Raises:
            ConfigurationError: Vertex AI needs a place to stage and there is none.
        """
        if self.entries:
            return None
        if self.table is not None:
            return self.table.place(client, identity)
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

    def parsed_requests(self) -> Iterator[Mapping[str, Any]]:
        """Give all requests with what stands beside them, in order; none where they are not at hand."""
        if self.entries or self.lines is None:
            return iter(self.entries)
        return map(from_json, self.request_lines())

    def request_lines(self) -> Iterator[bytes]:
        """Give the lines of all requests, in order; none where they are not at hand."""
        if self.entries or self.lines is None:
            return map(entry_line, self.entries)
        self.lines.seek(0)
        return iter(self.lines)

    def keys(self) -> Iterator[str]:
        """Give the keys of all requests in order."""
        for entry in self.entries:
            yield entry_key(entry)
        if self.lines is not None:
            yield from (key for key, _ in keyed_lines(self.lines, self.backend) if key is not None)

    def going_on(self, tables: Sequence[str], share: float = 1.0) -> PreparedInput:
        """Return the input of jobs that go on with what earlier ones left in BigQuery, a share of all requests.

        Vertex AI takes each table as the input of a job; of rows that are kept, those without a good answer are asked.
        """
        if self.table is not None:
            rest = replace(self.table, answered=(*tables,))
            tokens = None if self.tokens is None else self.tokens.times(share)
            return replace(self, content=[self.content, *tables], requests=None, table=rest, tokens=tokens)
        return replace(self, content=[*tables], requests=None, outputs=(*tables,))

    def part(self, sums: InputDigest, content: Any, **changes: Any) -> PreparedInput:
        """Return an input of the requests that `sums` counts, with all else as in this one but for `changes`."""
        return replace(self, content=content, first=sums.first, objects=(), **sums.facts(), **changes)
