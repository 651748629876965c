"""Rows of open models: OpenAI's lines in, a ChatCompletion out.

Sources: Google's page on managed models, and a client that reads live rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.jobs.rows import Style, Verdict
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.errors import HTTP_OF_GRPC, RowError
from airflow_provider_genai_batch.emulator.model.partners import chat
from airflow_provider_genai_batch.emulator.model.partners.chat_body import check_body
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.model.text import number_of
from airflow_provider_genai_batch.emulator.vertex.rows.family import Column, Task
from airflow_provider_genai_batch.emulator.vertex.rows.importer import coerced
from airflow_provider_genai_batch.emulator.vertex.rows.lines import status_text
from airflow_provider_genai_batch.emulator.vertex.rows.partners.partner_rows import PartnerRows

_OWN = frozenset({"custom_id", "method", "url", "body"})


class OpenRows(PartnerRows):
    """The rows of one job of an open model."""

    needed: Sequence[str] = ("custom_id", "body")
    reserved: Sequence[str] = ("response", "id")

    def __init__(self, task: Task) -> None:
        """Process the rows of one job."""
        super().__init__(task)
        self._created = task.at_ns // NANOSECONDS
        self.style = Style(chat.finished, lambda: chat.filtered(task.model, self._created), chat.emptied)

    def foreign(self, row: JsonObject) -> str:
        """Return why a row is not one of an open model's; empty if it is."""
        if row.get("custom_id") is None:
            return "Required field custom_id is missing"
        return "" if isinstance(row.get("body"), dict) else "Required field body is missing"

    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the ChatCompletion that answers a row.

        Raises:
            RowError: The row is refused.
        """
        if why := self.foreign(row):
            raise RowError(3, why)
        body: JsonObject = row["body"]
        check_body(body, self._task.model)
        answer = responder.said(body) if said is None else said
        return chat.completion(body, self._task.model, self._created, answer)

    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""
        siblings = {name: coerced(value) for name, value in row.items() if name not in _OWN}
        custom_id = row.get("custom_id")
        error, response = verdict.error, verdict.response
        if response is not None and self._task.script.envelope:
            response = {"status_code": 200, "request_id": "", "body": response}
        code = None if error is None else HTTP_OF_GRPC.get(int(error.get("code", 13)), 500)
        status = (
            {"status": "" if error is None else status_text(error)} if self._task.script.status_column else {}
        )
        return {
            **siblings,
            "id": f"batch_req_{number_of(str(custom_id)):012x}",
            "custom_id": custom_id,
            "response": response,
            "error": None if error is None else {"code": str(code), "message": error.get("message", "")},
            **status,
        }

    def asks(self, text: str) -> JsonObject:
        """Return the members of a row with a prompt."""
        return {"body": {"messages": [{"role": "user", "content": text}]}}

    def copied(self, columns: Sequence[Column]) -> list[Column]:
        """Copy the columns that are not the family's own; its own come with the results."""
        return [one for one in columns if one[0] not in _OWN]

    def results(self) -> Mapping[str, str]:
        """Return the result columns; clients read ``response`` as JSON text."""
        kind = self._task.script.response_type
        columns = {"id": "STRING", "custom_id": "STRING", "response": kind, "error": kind}
        return {**columns, "status": "STRING"} if self._task.script.status_column else columns
