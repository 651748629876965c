"""Types written as columns, ``kind STRING, tags ARRAY<STRING>``, as in BigQuery's own AI functions.

Source: the argument ``output_schema`` of BigQuery's ``AI.GENERATE_TABLE``.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import create_model

from airflow_provider_genai_batch.exceptions import InputError

_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*)|`([^`]+)`|([<>,]))")
TYPES: dict[str, Any] = {
    **dict.fromkeys(("STRING",), str),
    **dict.fromkeys(("INT64", "INTEGER", "INT", "BIGINT"), int),
    **dict.fromkeys(("FLOAT64", "FLOAT"), float),
    **dict.fromkeys(("BOOL", "BOOLEAN"), bool),
    **dict.fromkeys(("NUMERIC", "DECIMAL"), Decimal),
    "DATE": date,
    "TIMESTAMP": datetime,
    "TIME": time,
}
_HELP = 'Give the type itself, not its name, or write columns, such as "kind STRING, tags ARRAY<STRING>".'


@lru_cache(maxsize=64)
def type_of_columns(text: str) -> type[Any]:
    """Return a model with a field for each column; every field is required and not null.

    Args:
        text: names and types, separated by commas.

    Raises:
        InputError: it cannot be parsed.
    """
    return _Columns(text).model()


class _Columns:
    """A parser that reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._models = text, 0, 0
        self._next: tuple[str, bool] = ("", False)
        self._step()

    def model(self) -> type[Any]:
        """Read the whole text."""
        found = self._fields("")
        if self._next[0]:
            raise self._wrong(f"{self._next[0]!r} is left over")
        return found

    def _step(self) -> str:
        """Return the current token, and read the next one."""
        before = self._next[0]
        rest = self._text[self._at :]
        if not rest.strip():
            self._next = ("", False)
            return before
        found = _TOKEN.match(rest)
        if found is None:
            raise self._wrong(f"{rest.strip()[:20]!r} is no name and no type")
        self._at += found.end()
        self._next = (found[1] or found[2] or found[3], not found[3])
        return before

    def _fields(self, end: str) -> type[Any]:
        fields: dict[str, Any] = {}
        while True:
            named, is_name = self._next
            if not is_name:
                raise self._wrong("a name is missing")
            self._step()
            if named.startswith("_") or named == "model_config":
                raise self._wrong(f"{named!r} cannot be a field of an answer: choose another name")
            if named in fields:
                raise self._wrong(f"{named!r} is there twice")
            fields[named] = (self._type(), ...)
            if self._next[0] != ",":
                break
            self._step()
        if end:
            self._take(end)
        self._models += 1
        try:
            made: type[Any] = create_model(f"Columns{self._models}", **fields)
        except (NameError, ValueError) as error:
            raise self._wrong(str(error)) from error
        return made

    def _type(self) -> Any:
        word = self._step().upper()
        if word == "ARRAY":
            self._take("<")
            item = self._type()
            self._take(">")
            return list[item]  # type: ignore[valid-type]  # known at run time
        if word == "STRUCT":
            self._take("<")
            return self._fields(">")
        if word not in TYPES:
            raise self._wrong(
                f"there is no type {word or 'behind the last name'}; there are {', '.join(TYPES)}, ARRAY and STRUCT"
            )
        return TYPES[word]

    def _take(self, wanted: str) -> None:
        if self._next[0] != wanted:
            raise self._wrong(f"{wanted!r} is missing")
        self._step()

    def _wrong(self, why: str) -> InputError:
        return InputError(f"output_type={self._text!r} cannot be read as columns: {why}. {_HELP}")
