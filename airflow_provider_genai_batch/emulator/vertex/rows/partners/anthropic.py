"""Rows of Claude: `custom_id` and `request` in, a Message out.

Sources: Google's page on Claude, and clients that read live rows; no page shows an output row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.jobs.rows import Style, Verdict
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.partners import claude
from airflow_provider_genai_batch.emulator.model.partners.claude_body import VERSION, check_body
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.vertex.rows.family import Column, Task
from airflow_provider_genai_batch.emulator.vertex.rows.importer import ImportFailed, coerced
from airflow_provider_genai_batch.emulator.vertex.rows.lines import processed_time, status_text
from airflow_provider_genai_batch.emulator.vertex.rows.partners.partner_rows import PartnerRows

_OWN = ("custom_id", "request")
_PHRASES = {
    "invalid_request_error": "Bad Request",
    "authentication_error": "Unauthorized",
    "billing_error": "Payment Required",
    "permission_error": "Forbidden",
    "not_found_error": "Not Found",
    "rate_limit_error": "Too Many Requests",
    "timeout_error": "Gateway Timeout",
    "api_error": "Internal Server Error",
    "overloaded_error": "Overloaded",
}


class ClaudeRows(PartnerRows):
    """The rows of one Claude job."""

    needed: Sequence[str] = _OWN
    reserved: Sequence[str] = ("response", "status")

    def __init__(self, task: Task) -> None:
        """Process the rows of one job."""
        super().__init__(task)
        self.style = Style(claude.finished, lambda: claude.refusal(task.model), claude.emptied)

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Accept a row of this family. A row of another one fails the job, unless a script makes it fail the row.

        Raises:
            ImportFailed: The row is of another family, or ``custom_id`` is not text.
        """
        custom_id = row.get("custom_id")
        if custom_id is not None and not isinstance(custom_id, str):
            message = f"Field custom_id is of type STRING, not {type(custom_id).__name__}"
            raise ImportFailed(message, number)
        return super().import_row(row, number)

    def foreign(self, row: JsonObject) -> str:
        """Return why a row is not one of Claude's; empty if it is."""
        missing = [name for name in _OWN if row.get(name) is None]
        if missing:
            return f"Required field {missing[0]} is missing"
        request = row["request"]
        return (
            "Field request.contents is none of this model"
            if isinstance(request, dict) and "contents" in request
            else ""
        )

    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the Message that answers a row.

        Raises:
            RowError: The row is refused.
        """
        request = row.get("request")
        if (why := self.foreign(row)) or not isinstance(request, dict):
            raise RowError(3, why or "request: Input should be a valid dictionary")
        check_body(request, features=self._task.features)
        return claude.message(request, self._task.model, responder.said(request) if said is None else said)

    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row, with its members in the order that clients have seen."""
        siblings = {name: coerced(value) for name, value in row.items() if name not in _OWN}
        kept = siblings if self._task.script.siblings else {}
        known = {"custom_id": row["custom_id"]} if "custom_id" in row else {}
        if verdict.error is not None:
            empty: JsonObject = {"response": {}} if self._task.script.failed_row_response == "empty" else {}
            return {**known, **kept, "request": row.get("request"), "status": _status(verdict.error), **empty}
        return {
            **known,
            **kept,
            "processed_time": processed_time(self._task.at_ns),
            "request": row.get("request"),
            "status": "",
            "response": verdict.response,
        }

    def asks(self, text: str) -> JsonObject:
        """Return the members of a row with a prompt."""
        message = {"role": "user", "content": text}
        return {"request": {"anthropic_version": VERSION, "max_tokens": 100, "messages": [message]}}

    def copied(self, columns: Sequence[Column]) -> list[Column]:
        """Copy the family's own columns, and others only if a script says so."""
        return [one for one in columns if one[0] in _OWN or self._task.script.siblings]

    def results(self) -> Mapping[str, str]:
        """Return the result columns; clients read ``response`` as JSON text."""
        kind = self._task.script.response_type
        return {"response": kind, "status": "STRING", "processed_time": "TIMESTAMP"}


def _status(error: JsonObject) -> str:
    """Format an error as a phrase and JSON: in Google's form, or in Anthropic's if a script gives a ``type``."""
    kind = error.get("type")
    if not isinstance(kind, str):
        return status_text(error)
    return f"{_PHRASES.get(kind, 'Error')}: {dumps({'type': 'error', 'error': error}).decode()}"
