"""Writes the rows of a table as request lines, using a template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder, same_key
from airflow_provider_genai_batch.requests.frames import TOGETHER
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings, row_key
from airflow_provider_genai_batch.requests.tables.rows import row_name
from airflow_provider_genai_batch.requests.tables.values import Row
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.keys import stamp, stamps
from airflow_provider_genai_batch.wire.lines.entry import spelled_key
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only

_BY_PLACE = RowSettings()


class TableWriter:
    """Writes a line for each row of a table.

    Args:
        prompt: makes a request of a row.
        backend: where it goes.
        task: generate or embed.
        model: the job's model.
        settings: the key of rows; by default, the row's place.
        defaults: SDK config or REST fields of every request.
        name: the table's name, for messages.
        max_bytes: replaces the service's limit.
        max_requests: replaces the service's limit.

    Attributes:
        rows: rows written so far.
        keys: their keys, if the model takes keys.
    """

    def __init__(  # noqa: PLR0913 - like the writer of requests, plus a prompt
        self,
        prompt: Prompt,
        backend: Backend,
        task: Task,
        model: str,
        *,
        settings: RowSettings = _BY_PLACE,
        defaults: Any = None,
        name: str = "",
        max_bytes: int | None = None,
        max_requests: int | None = None,
    ) -> None:
        self.rows, self.keys = 0, DuplicateKeyFinder()
        self._writer = prompt.writer(backend, task, model, defaults)
        self._settings, self._name = settings, name
        self._backend, self._family = backend, family_of(model)
        self._keyless = takes_text_only(model, backend)
        self._limits = limits_of(backend, task, model, max_bytes=max_bytes, max_requests=max_requests)
        self._size = 0

    def blocks(self, batches: Iterable[Sequence[Row]]) -> Iterator[bytes]:
        """Yield the lines, several at a time.

        Raises:
            RequestError: a row has no value for the prompt or no key, or there are too many rows; ``row 3 of in.csv``
                is the third.
            InputError: there are no rows.
        """
        for rows in batches:
            for begin in range(0, len(rows), TOGETHER):
                some = rows[begin : begin + TOGETHER]
                yield self._together(some) or b"".join(map(self.line, some))
        if not self.rows:
            msg = f"{self._name or 'src'} holds no rows: there is nothing to ask"
            raise InputError(msg)
        self._refuse(self.keys.twice())

    def _together(self, rows: Sequence[Row]) -> bytes | None:
        """Write rows; return None if one is not right and each must be checked by itself."""
        settings, begin = self._settings, self.rows
        try:
            for name in settings.columns or ():
                if not all(name in row for row in rows):
                    return None
            own = settings.key
            keys = [row_key(row, own) for row in rows] if own else stamps(begin, begin + len(rows))
            marked = own and self._backend is Backend.VERTEX
            spelled = [*map(self._spelled, keys)] if marked or self._family is not Family.GOOGLE else keys
        except RequestError:
            return None
        lines = self._writer.lines(rows, spelled)
        if lines is None or self._limits.are_passed(begin + len(rows), self._size + len(lines)):
            return None
        if not self._keyless:
            number, finder = begin + 1, self.keys
            self._refuse(
                finder.add_all(keys, number) if settings.key else finder.add_stamps(len(keys), number)
            )
        self.rows += len(rows)
        self._size += len(lines)
        return lines

    def line(self, row: Row) -> bytes:
        """Write one row, and return its line."""
        self.rows += 1
        number, settings = self.rows, self._settings
        try:
            settings.check(row)
            key = row_key(row, settings.key) if settings.key else stamp(number - 1)
            if not self._keyless:
                self._refuse(self.keys.add(key, number))
            line = self._writer.line(row, self._spelled(key))
            self._size += len(line)
            self._limits.check(number, self._size, "")
        except RequestError as error:
            raise error if error.where else error.at(row_name(number, self._name)) from error
        return line

    def _spelled(self, key: str) -> str:
        return spelled_key(key, self._backend, self._family)

    def _refuse(self, twice: tuple[int, int] | None) -> None:
        if twice is not None:
            earlier, later = (row_name(number, self._name) for number in twice)
            raise same_key(earlier, later)
