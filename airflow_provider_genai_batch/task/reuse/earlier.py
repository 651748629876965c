"""Earlier results: where they are, and their rows that may be used again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, Literal, NamedTuple

from msgspec import Struct
from msgspec.json import Decoder
from pydantic import ValidationError

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, NotFound
from airflow_provider_genai_batch.models import Manifest, ResultRow, Reuse
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.results.read_back import columns_as_rows, plain
from airflow_provider_genai_batch.results.sinks import FORMS, form_of
from airflow_provider_genai_batch.task.files.files import local_path, matching_files, seekable
from airflow_provider_genai_batch.wire.answers.answer import PlainRow

_LINES = 64
"""Read at a time."""
_BROKEN = (*WRONG, OSError, EOFError, zlib.error)
"""What readers raise of files that are not whole, or no files of rows."""


class _Head(Struct, gc=False):
    status: str
    asked: str | None = None
    answered_at: datetime | None = None


class _Usage(Struct, forbid_unknown_fields=True, gc=False):
    input: int = 0
    output: int = 0
    cached: int = 0
    thoughts: int = 0
    total: int = 0
    tool_use: int = 0


class _UsualRow(Struct, forbid_unknown_fields=True, gc=False):
    """As most rows are; what else a row may have is checked by `ResultRow`, at ten times the cost."""

    status: Literal["ok"]
    key: str | None
    index: int | None = None
    text: str | None = None
    output: Any = None
    error: None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    model_version: str | None = None
    tier: str | None = None
    round: int = 0
    input: dict[str, Any] | None = None
    asked: str | None = None
    answered_at: datetime | None = None
    reused_from: str | None = None
    same_as: str | None = None
    response: dict[str, Any] | None = None


_heads = Decoder(_Head).decode_lines
_check = Decoder(_UsualRow).decode
_decode = Decoder().decode


def _row(line: bytes) -> PlainRow:
    row: PlainRow = _decode(line)
    try:
        _check(line)
    except WRONG:
        _checked(row)
    return row


def _checked(row: dict[str, Any]) -> ResultRow:
    try:
        return ResultRow.model_validate(row)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[:3]
        msg = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'row'}: {one['msg']}" for one in wrong)
        raise ValueError(msg) from error


class EarlierRow(NamedTuple):
    """A row that is ``ok`` and says what was asked."""

    asked: bytes
    answered_at: datetime | None
    stored: Any
    """As it stands there."""
    read: Callable[[Any], PlainRow]
    """Reads that as a whole row; raises ValueError where it is none."""


def read_reuse(value: Any) -> Reuse | None:
    """Read the parameter ``reuse``; None: nothing is used again."""
    if value is None or value is False:
        return None
    return value if isinstance(value, Reuse) else Reuse(results=value)


def addresses(
    client: GenAIBatchClient,
    reuse: Reuse,
    own: str,
    manifest: Callable[[], Mapping[str, Any] | None],
    read: Callable[[Any], Manifest],
) -> list[str]:
    """Return where earlier results are, or may be, the newest first as far as their names tell.

    Args:
        client: of the task's connection.
        reuse: names them.
        own: the task's own ``results_uri``.
        manifest: gives that of the task's last earlier run, if there is one.
        read: reads a manifest.

    Raises:
        InputError: something else is named.
    """
    found: list[str] = []
    for one in _several(reuse.results):
        if one is True:
            before = manifest()
            found += [uri for uri in ((before or {}).get("results_uri"),) if uri]
            found.append(own)
        elif isinstance(one, (Mapping, Manifest)) or (isinstance(one, str) and one.strip()[:1] == "{"):
            where = read(one).results_uri
            if where is None:
                msg = "reuse names a manifest whose rows landed nowhere: it has no results_uri. Nothing was sent."
                raise InputError(msg)
            found.append(where)
        else:
            found += _expanded(client, str(one))
    for uri in found:
        if not _is_of_rows(uri):
            msg = (
                f"reuse names {uri}, which is no file of landed rows: these end in .jsonl, .jsonl.gz or .parquet. "
                "Nothing was sent and nothing is billed."
            )
            raise InputError(msg)
    return list(dict.fromkeys(reversed(found)))


def _several(results: Any) -> Sequence[Any]:
    return results if isinstance(results, (list, tuple)) else [results]


def _expanded(client: GenAIBatchClient, uri: str) -> list[str]:
    path = local_path(uri)
    if "*" not in uri or (path is not None and path.exists()):
        return [uri]
    return [*filter(_is_of_rows, matching_files(uri, client))]


def _is_of_rows(uri: str) -> bool:
    return any(uri.endswith(f".{form}") for form in FORMS)


def earlier_rows(client: GenAIBatchClient, uri: str) -> Iterator[EarlierRow]:
    """Give the rows of a file that can be used again, as they stand there.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or is no file of rows; the message says why.
        CallError: trouble that may pass.
    """
    form = form_of(uri)
    number = 0
    try:
        with seekable(uri, client) as stream:
            if form == "parquet":
                yield from _of_columns(stream)
                return
            lines = plain(stream, form)
            while some := [*islice(lines, _LINES)]:
                yield from _of_lines(some)
                number += len(some)
    except NotFound as error:
        raise FileNotFoundError(uri) from error
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise FileNotFoundError(uri) from error
        raise InputError(unreadable(uri, str(error))) from error
    except _BROKEN as error:
        near = f" near line {number + 1}" if form != "parquet" else ""
        raise InputError(unreadable(uri, f"it is no whole file of rows ({error}{near})")) from error


def _of_lines(lines: list[bytes]) -> Iterator[EarlierRow]:
    found = _heads(b"".join(lines))
    if len(found) != len(lines):
        msg = "rows and lines are not the same"
        raise ValueError(msg)
    for head, line in zip(found, lines, strict=True):
        if head.status == "ok" and head.asked:
            yield EarlierRow(bytes.fromhex(head.asked), head.answered_at, line, _row)


def _of_columns(stream: BinaryIO) -> Iterator[EarlierRow]:
    for row in columns_as_rows(stream):
        at = row.get("answered_at")
        if "status" not in row or not isinstance(at, (datetime, type(None))):
            msg = "its columns are not those of rows"
            raise ValueError(msg)
        if row["status"] == "ok" and row.get("asked"):
            yield EarlierRow(bytes.fromhex(row["asked"]), at, row, _of_column_row)


def _of_column_row(row: dict[str, Any]) -> PlainRow:
    return _checked(row).model_dump(mode="json")


def unreadable(uri: str, why: str) -> str:
    """Say that earlier results are there and cannot be used, and what can be done."""
    return (
        f"Earlier results at {uri} are there, and cannot be read: {why.rstrip('.')}. Nothing was sent and "
        "nothing is billed. Mend the file, take it away, or leave it out of reuse: then its requests are asked."
    )
