"""The importer of partner and open models. A body is one JSON value to it, so it checks only columns.

How the service treats a line of another family is not known: here the job fails, or by script the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, loads
from airflow_provider_genai_batch.emulator.vertex.rows.importer import ImportFailed

_COLUMN = re.compile(r"\w+", re.ASCII)


class PartnerImporter:
    """Reads lines one after another."""

    def __init__(self, import_row: Callable[[JsonObject, int], JsonObject], reserved: Sequence[str]) -> None:
        """Read for one family.

        Args:
            import_row: Called with an object and its number; may raise ImportFailed.
            reserved: The names that only an output may have.
        """
        self._import_row = import_row
        self._reserved = frozenset(reserved)
        self._row = 0

    def row(self, line: bytes) -> JsonObject:
        """Read one line.

        Raises:
            ImportFailed: The line is not an object, or has a member that cannot be a column.
        """
        self._row += 1
        try:
            row = loads(line)
        except (ValueError, RecursionError) as problem:
            why = f"Error while reading data, error message: JSON parsing error: {problem}"
            raise ImportFailed(why, self._row) from problem
        if not isinstance(row, dict):
            why = "Error while reading data, error message: JSON table encountered a non-object row"
            raise ImportFailed(why, self._row)
        for name in row:
            if name in self._reserved:
                raise ImportFailed(f"The column name {name!r} is reserved.", self._row)
            if not _COLUMN.fullmatch(name):
                why = f'Invalid field name "{name}". Fields must contain only letters, numbers, and underscores.'
                raise ImportFailed(why, self._row)
        return self._import_row(row, self._row)
