"""Writes rows as lines for a BigQuery load job, as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder

from airflow_provider_genai_batch.wire.tables.answers import KEY

_encoder = Encoder()
_NULL = Raw(b"null")


class _Row(Struct):
    """The fields of a row that land in a table."""

    key: str | None
    status: str
    text: str | None = None
    output: Raw = _NULL
    error: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    input: Raw = _NULL


_rows: Decoder[_Row] = Decoder(_Row)
_fields: Decoder[dict[str, Raw]] = Decoder(dict[str, Raw])


class TableSink:
    """Writes the lines of a table.

    Args:
        out: takes the lines.
        answers: the answers' columns by field; with a single empty field, that column holds the whole answer.
        text: the column of answers without a type; empty if they have one.
        kinds: kinds of tokens.
        with_input: rows include the columns of their input, in one column of type JSON.
        with_text: rows have no keys, and their text, which is that of their request, has a column ``text``.
    """

    def __init__(
        self,
        out: BinaryIO,
        answers: Mapping[str, str],
        text: str,
        kinds: Sequence[str],
        *,
        with_input: bool = False,
        with_text: bool = False,
    ) -> None:
        self._out, self._answers, self._text, self._kinds = out, answers, text, kinds
        self._with_input, self._with_text = with_input, with_text

    def write(self, lines: bytes) -> None:
        """Write complete lines of rows."""
        self._out.write(
            _encoder.encode_lines([self._line(_rows.decode(line)) for line in lines.splitlines()])
        )

    def _line(self, row: _Row) -> dict[str, Any]:
        line: dict[str, Any] = {KEY: row.key, "row_status": row.status}
        if row.status == "ok":
            line.update(self._answer(row))
        else:
            line["row_error"] = _error(row)
        if row.usage is not None:
            line["tokens"] = {kind: row.usage.get(kind) for kind in self._kinds}
        if self._with_input:
            line["input"] = row.input
        if self._with_text:
            line["text"] = row.text
        return line

    def _answer(self, row: _Row) -> dict[str, Any]:
        if self._text:
            return {self._text: row.text}
        if bytes(row.output) == b"null":
            return {}
        if "" in self._answers:
            return {self._answers[""]: row.output}
        output = _fields.decode(row.output)
        return {column: output[field] for field, column in self._answers.items() if field in output}


def _error(row: _Row) -> str | None:
    if row.error is None:
        return None
    code, status, message = (row.error.get(name) or "" for name in ("code", "status", "message"))
    if row.status == "invalid":
        return f"{message}: {row.text or ''}"
    return f"{code} {status}".strip() + f": {message}"
