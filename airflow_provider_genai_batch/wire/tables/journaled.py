"""Answers of immediate calls as rows of a table like those that jobs write, so that one statement judges both.

Source: Google's "Batch inference with Gemini" for the columns of answers; captures of ``status`` texts.
"""

# ruff: noqa: S608 - names are checked where they are read

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from msgspec import Raw, Struct
from msgspec.json import Decoder, encode

from airflow_provider_genai_batch.wire.keys import read_key
from airflow_provider_genai_batch.wire.tables.answers import TRAFFIC, Answers
from airflow_provider_genai_batch.wire.tables.sql import InnerQuery, TableName
from airflow_provider_genai_batch.wire.tables.types import Column

COLUMNS = (
    Column("key", "STRING"),
    Column("status", "STRING"),
    Column("response", "STRING"),
    Column("processed_time", "TIMESTAMP"),
)
"""The columns of the table."""


class _Line(Struct, gc=False):
    key: str
    response: Raw = Raw()
    error: Raw = Raw()


_decode = Decoder(_Line).decode


def as_answer(line: bytes, at: float) -> bytes:
    """Return a line of a journal as a line of a load job.

    Args:
        line: ``{"key", "response"}`` or ``{"key", "error"}``, as immediate calls are kept.
        at: when it was kept, in seconds since the epoch.
    """
    found = _decode(line)
    response = bytes(found.response).decode() or None
    row = {
        "key": read_key(found.key),
        "status": "" if response else f'Error: {{"error": {bytes(found.error).decode() or "{}"}}}',
        "response": response,
        "processed_time": datetime.fromtimestamp(at, timezone.utc).isoformat(),
    }
    return encode(row) + b"\n"


def kept_of(calls: Answers, others: Sequence[TableName | InnerQuery]) -> str:
    """Return the query that counts the answers of immediate calls that no answer of a job replaces.

    Args:
        calls: the answers of immediate calls.
        others: the tables that jobs wrote.

    Returns:
        Rows with ``job``, the number of the table in `calls`; ``traffic``, by which tier the service counts them;
        ``refused``, whether there is no answer; and ``number``.
    """
    stands = ""
    if others:
        keys = " UNION ALL ".join(f"SELECT key FROM {table}" for table in others)
        stands = f"WHERE misfits = '' OR key NOT IN (SELECT key FROM ({keys}) WHERE key IS NOT NULL) "
    return (
        f"{calls.judged()} SELECT job, {TRAFFIC} AS traffic, response IS NULL AS refused, COUNT(*) AS number "
        f"FROM best {stands}GROUP BY job, traffic, refused"
    )
