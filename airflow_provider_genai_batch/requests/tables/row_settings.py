"""Settings of rows: the key that identifies them, and the columns that come back beside the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.exceptions import ConfigurationError, RequestError
from airflow_provider_genai_batch.requests.tables.values import Row, prompt_text
from airflow_provider_genai_batch.wire.keys import check_key


@dataclass(frozen=True)
class RowSettings:
    """What is wanted of rows apart from their prompts.

    Attributes:
        key: columns that identify a row; empty: its place does.
        columns: columns that come back; None: all.
    """

    key: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    @classmethod
    def of(cls, key: Any, columns: Any) -> RowSettings:
        """Read the operator's parameters.

        Raises:
            ConfigurationError: one of them does not name columns.
        """
        return cls(read_names("key", key) or (), read_names("columns", columns))

    def named(self, prompt: Sequence[str]) -> dict[str, str]:
        """Return each required column with the parameter that names it; `prompt` has the columns of the prompt."""
        named = dict.fromkeys(prompt, "prompt") | dict.fromkeys(self.key, "key")
        return dict.fromkeys(self.columns or (), "columns") | named

    def check(self, row: Row) -> None:
        """Refuse a row that lacks a column that has to come back.

        Raises:
            RequestError: a column is missing. It has no row number; the row's reader adds it.
        """
        for name in self.columns or ():
            if name not in row:
                raise no_column(name, "columns", row)


def row_key(row: Row, columns: Sequence[str]) -> str:
    """Return the key of a row: the value of its key column, or a JSON array if there are several.

    Raises:
        RequestError: it has no valid key. It has no row number; the row's reader adds it.
    """
    texts = [_key_text(row, name) for name in columns]
    key = texts[0] if len(texts) == 1 else to_json(texts).decode()
    check_key(key)
    return key


def read_names(what: str, given: Any) -> tuple[str, ...] | None:
    """Read a column name or a list of names.

    Raises:
        ConfigurationError: it is neither.
    """
    if given is None:
        return None
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(one, str) and one for one in names):
        msg = f"{what} is {given!r}: give the name of a column, or a list of names."
        raise ConfigurationError(msg)
    return tuple(dict.fromkeys(names))


def no_column(name: str, parameter: str, there: Sequence[str] | Row) -> RequestError:
    """Return the error for a missing column."""
    names = ", ".join(map(repr, there)) or "none"
    return RequestError(f"there is no column {name!r}, which {parameter} names", f"The columns are: {names}.")


def _key_text(row: Row, name: str) -> str:
    if name not in row:
        raise no_column(name, "key", row)
    try:
        text = prompt_text(row[name])
    except TypeError as error:
        msg = f"column {name!r} has {error}"
        raise RequestError(msg, "Make it a string or a number.") from error
    if not text:
        msg = f"column {name!r}, which is the key, is {'null' if text is None else 'empty'}"
        raise RequestError(msg, "Leave such rows out, or choose another key.")
    return text
