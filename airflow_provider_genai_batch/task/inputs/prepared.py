"""An input that has been read and checked: it can be uploaded, split, and read for its keys."""

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
    """An input that has been read and checked. The files that it reads stay open until `read_input` ends."""

    source: BatchSource
    """The source that it was read from."""
    content: Any
    """Identifies the content, and so the job: a digest of the lines, or an address."""
    backend: Backend
    limits: Limits
    """Limits of one job."""
    stack: ExitStack = field(repr=False)
    """Closes what is opened for the input."""
    requests: int | None = None
    """The number of requests; None if they could not be read."""
    stamped: int = 0
    """The number of keys that are generated from positions in the input, counted from `first`."""
    first: int = 0
    """The position of the first request in the whole input, of which this may be a part."""
    stamps: bool = False
    """Whether all keys are generated from positions in the whole input."""
    key_sum: int | None = None
    """Checksum of the keys, see `requests.duplicate_keys.DuplicateKeyFinder`; None: all keys are generated."""
    asks_for_type: bool = False
    """Whether a request has a response schema of its own."""
    keyed: bool = True
    """Whether every request has a key that its row also has."""
    entries: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Gemini inline requests."""
    lines: BinaryIO | None = field(default=None, repr=False)
    """The JSONL that was checked."""
    in_place: bool = False
    """Whether the service reads the lines at their source. If not, they still have to be uploaded."""
    objects: tuple[tuple[str, int], ...] = ()
    """If `in_place`: its objects, and where each ends in `lines`, in bytes."""
    columns: Columns | None = field(default=None, repr=False)
    """Columns of the input rows, if the rows can be read only once."""
    ledger: RequestLedger | None = field(default=None, repr=False)
    """Digest and key of each request of the whole input, if the ledger was requested."""
    reduced: bool = False
    """Whether requests were left out because they have rows already. `content` is then not the whole input's."""
    outputs: tuple[str, ...] = ()
    """Output tables of earlier jobs. The service submits the rows that failed there again, and copies the others."""
    table: StagedTable | None = field(default=None, repr=False)
    """The rows of a BigQuery table, if their requests are made in BigQuery."""
    snapshot: str | None = None
    """The BigQuery table with the rows from which the lines were made."""

    tokens: TokenEstimate | None = None
    """Token estimate for rows in BigQuery, if they were counted."""

    def place(self, client: GenAIBatchClient, identity: Identity, staging: str | None) -> BatchSource | None:
        """Upload the input if necessary, under a name that the next attempt finds again; None if it is sent inline.

        Raises:
            ConfigurationError: Vertex AI needs a staging place, and there is none.
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
        """Whether its requests can be read here."""
        return bool(self.entries) or self.lines is not None

    def parsed_requests(self) -> Iterator[Mapping[str, Any]]:
        """Yield all parsed lines or entries, in order; none if they cannot be read here."""
        if self.entries or self.lines is None:
            return iter(self.entries)
        return map(from_json, self.request_lines())

    def request_lines(self) -> Iterator[bytes]:
        """Yield the lines of all requests, in order; none if they cannot be read here."""
        if self.entries or self.lines is None:
            return map(entry_line, self.entries)
        self.lines.seek(0)
        return iter(self.lines)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all requests in order."""
        for entry in self.entries:
            yield entry_key(entry)
        if self.lines is not None:
            for keys, _ in keyed_lines(self.lines, self.backend):
                yield from (key for key in keys if key is not None)

    def going_on(self, tables: Sequence[str], share: float = 1.0) -> PreparedInput:
        """Return the input of jobs that continue with the output tables of earlier jobs in BigQuery.

        Vertex AI takes such a table as the input of a job. If the requests are made in BigQuery, only rows without a
        valid answer are submitted again.

        Args:
            tables: the output tables.
            share: the fraction of all requests that is left.
        """
        if self.table is not None:
            rest = replace(self.table, answered=(*tables,))
            tokens = None if self.tokens is None else self.tokens.times(share)
            return replace(self, content=[self.content, *tables], requests=None, table=rest, tokens=tokens)
        return replace(self, content=[*tables], requests=None, outputs=(*tables,))

    def part(self, sums: InputDigest, content: Any, **changes: Any) -> PreparedInput:
        """Return a part of this input: `sums` has the facts about its requests; other fields are kept or changed."""
        return replace(self, content=content, first=sums.first, objects=(), **sums.facts(), **changes)
