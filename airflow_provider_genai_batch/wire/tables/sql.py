"""Names and literals of GoogleSQL.

Source: BigQuery's "Lexical structure and syntax", and "Schemas" for names of columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError

_TABLE = re.compile(r"(?:bq://)?([^.`\\\s]+)\.([^.`\\\s]+)\.([^.`\\\s]+)")
_DATASET = re.compile(r"(?:bq://)?([^.`\\\s]+)\.([^.`\\\s]+)")
_NOT_IN_NAMES = re.compile(r"[!\"$()*,./;?@\[\\\]^`{}~\x00-\x1f]")
_RESERVED = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER")
_LONGEST_NAME = 300
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
NO_RESPONSE = """('null', '{}', '""', '"{}"')"""
"""The forms of an empty response, in a column of JSON or of text."""


@dataclass(frozen=True)
class TableName:
    """A BigQuery table."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        """Return its name in SQL."""
        return f"`{self.project}`.`{self.dataset}`.`{self.table}`"

    @property
    def uri(self) -> str:
        """Return its address."""
        return f"bq://{self.project}.{self.dataset}.{self.table}"

    @property
    def place(self) -> DatasetName:
        """Return the dataset that it is in."""
        return DatasetName(self.project, self.dataset)


@dataclass(frozen=True)
class DatasetName:
    """A BigQuery dataset."""

    project: str
    dataset: str

    def __str__(self) -> str:
        """Return its name as people write it."""
        return f"{self.project}.{self.dataset}"

    def table(self, name: str) -> TableName:
        """Return a table in it."""
        return TableName(self.project, self.dataset, name)


@dataclass(frozen=True)
class InnerQuery:
    """A query where a statement has a table."""

    sql: str

    def __str__(self) -> str:
        """Return it in SQL."""
        return f"({self.sql})"


def is_table(uri: str) -> bool:
    """Whether an address names a BigQuery table."""
    return uri.startswith("bq://")


def has_no_file(results_uri: Any) -> bool:
    """Whether rows land in no file; nothing can be stored beside a table."""
    return results_uri is None or (isinstance(results_uri, str) and is_table(results_uri))


def read_table(text: str, what: str) -> TableName:
    """Read ``bq://project.dataset.table``.

    Raises:
        InputError: it is not a table's name.
    """
    found = _TABLE.fullmatch(text.strip())
    if found is None:
        msg = f"{what} {text!r} does not name a table: write bq://project.dataset.table"
        raise InputError(msg)
    return TableName(*found.groups())


def read_dataset(text: str, what: str) -> DatasetName:
    """Read ``bq://project.dataset``, with or without ``bq://``.

    Raises:
        InputError: it is not a dataset's name.
    """
    found = _DATASET.fullmatch(text.strip())
    if found is None:
        msg = f"{what} {text!r} does not name a dataset: write bq://project.dataset"
        raise InputError(msg)
    return DatasetName(*found.groups())


def name(column: str) -> str:
    """Return a column's name in SQL."""
    return f"`{column}`"


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + "".join(_ESCAPES.get(letter, letter) for letter in text) + "'"


def check_names(columns: Iterable[str], where: str) -> None:
    """Refuse names that no column can have, and names that differ in case only, which BigQuery ignores.

    Raises:
        InputError: there is such a name.
    """
    seen: dict[str, str] = {}
    for column in columns:
        if not column or len(column) > _LONGEST_NAME or _NOT_IN_NAMES.search(column):
            msg = f"{where} has {column!r}, which no column of BigQuery can be called: give it another name by rename"
            raise InputError(msg)
        if column.upper().startswith(_RESERVED):
            msg = f"{where} has {column!r}, whose beginning BigQuery keeps for itself: give it another name by rename"
            raise InputError(msg)
        if (other := seen.get(column.lower())) is not None:
            what = f"{other!r} and {column!r}" if other != column else f"{column!r} twice"
            msg = (
                f"{where} has {what}, which is one name to BigQuery: give one of them another name by rename"
            )
            raise InputError(msg)
        seen[column.lower()] = column
