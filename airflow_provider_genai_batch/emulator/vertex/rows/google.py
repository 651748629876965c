"""Rows of Google's own models: Gemini and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_genai_batch.emulator.jobs.rows import Style, Verdict
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.vertex.rows import lines
from airflow_provider_genai_batch.emulator.vertex.rows.answers import shaped
from airflow_provider_genai_batch.emulator.vertex.rows.family import Column, Task
from airflow_provider_genai_batch.emulator.vertex.rows.forms import FORMS, WITHOUT_NULLS
from airflow_provider_genai_batch.emulator.vertex.rows.importer import Importer, check_own
from airflow_provider_genai_batch.emulator.vertex.rows.source import RESULT_COLUMNS

_RESULT_TYPES = {"response": "JSON", "status": "STRING", "processed_time": "TIMESTAMP"}
_MOST_ROWS, _MOST_EMBEDDINGS, _MOST_PROMPTS = 200_000, 1_000_000, 30_000


class GoogleRows:
    """The rows of one job of a Google model."""

    reserved: Sequence[str] = ("response", "status")
    resumes = True
    style = Style()

    def __init__(self, task: Task) -> None:
        """Process the rows of one job."""
        self._task = task
        self._predicts = names.predicts(task.model)
        self.needed: Sequence[str] = ("content",) if self._predicts else ("request",)
        self.most = _MOST_ROWS
        if names.embeds(task.model):
            self.most = _MOST_PROMPTS if self._predicts else _MOST_EMBEDDINGS
        form = FORMS.get(task.script.row_form or "")
        plain: Callable[..., JsonObject] = partial(
            lines.answered, task.model, at_ns=task.at_ns, media_bytes=task.script.media_bytes
        )
        # Without a form, no further call is made for each row, which saves time.
        self.answered = plain if form is None else lambda *row: form(plain(*row))
        self._echo: Callable[[Any], Any] | None = None

    def importer(self) -> Importer:
        """Return an importer that behaves like a JSON load of BigQuery."""
        importer = Importer(self.needed if self._task.script.foreign_lines == "import" else ())
        self._echo = _as_it_came if self._task.script.row_form in WITHOUT_NULLS else importer.echoed
        return importer

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Accept any row of a table that has the column, unless a script is strict."""
        if self._task.script.foreign_lines == "import":
            check_own(row, self.needed[0], number)
        return row

    def is_done(self, row: JsonObject) -> bool:
        """Return whether an earlier job answered the row."""
        return lines.is_done(row)

    def key_of(self, row: JsonObject) -> str | None:
        """Return the key beside the request."""
        return lines.key_of(row)

    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""
        script = self._task.script
        return lines.line(
            row,
            verdict,
            self._task.model,
            self._task.at_ns,
            self._echo,
            empty_response=script.failed_row_response == "empty",
            status_object=script.status_object,
            embedding_usage=script.embedding_usage,
        )

    def unreached(self, row: JsonObject) -> JsonObject | None:
        """Return the row without results, because a cancelled or expired job can be resumed from its output."""
        return None if self._predicts else {**row, **dict.fromkeys(RESULT_COLUMNS)}

    def stranger(self, responder: Responder, key: str) -> JsonObject:
        """Return an output row that belongs to no request."""
        request = {"contents": [{"role": "user", "parts": [{"text": "Nobody asked."}]}]}
        shape = partial(shaped, at_ns=self._task.at_ns)
        response = responder.generate(request, self._task.model, shape, "Nobody asked.")
        return self.line({"key": key, "request": request}, Verdict(response=response))

    def copied(self, columns: Sequence[Column]) -> list[Column]:
        """Copy every column."""
        return list(columns)

    def results(self) -> Mapping[str, str]:
        """Return the result columns."""
        return _RESULT_TYPES


def _as_it_came(request: Any) -> Any:
    return request
