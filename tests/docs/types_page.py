"""The page of types, made of the table in the code: ``python -m tests.docs.types_page`` writes it."""

# ruff: noqa: E501 - a line of a table is one line

from __future__ import annotations

from airflow_provider_genai_batch.wire.schemas.column_text import TYPES as WRITTEN
from airflow_provider_genai_batch.wire.tables.types import TYPES
from tests.docs.pages import ROOT

NAME = "docs/reference/types.md"
_HEAD = """# Types

Which Python type becomes which BigQuery column when a task writes a
[typed table](../how-to/classify-a-table.md). This page is generated from the table in the code.

| In `output_type` | Column |
|---|---|
"""
_MIDDLE = """
A field that may be null, or has a default, is nullable. If the default is a string, a number or a Boolean, the column has
it when the answer lacks the field. A NULL array is stored as an empty one. `bytes` are refused.

## Written as columns

`output_type="kind STRING, who STRUCT<name STRING, age INT64>"` means the same as a model whose fields are all required.
Put names that are not valid in Python into backticks.

| Word | Type |
|---|---|
"""
_FOOT = """
## Where SQL differs from Pydantic

SQL checks types, enumerations and required fields as Pydantic does in strict mode, with these differences:

| Answer | Pydantic, strict | SQL |
|---|---|---|
| an integer beyond 64 bits, a decimal of more than 29 digits before the point | ok | `invalid`: it does not fit the column |
| a decimal of more than 9 digits after the point | ok | ok, rounded |
| `3.0` for an `int`; a date with the time `T00:00:00`; a datetime or a time in a format that only BigQuery accepts | invalid | ok |
| a member that the model forbids (`extra="forbid"`) | invalid | ok |
| a value of the wrong type in a `dict`, a union, a tuple or a list of lists | invalid | ok: the column is JSON |
| a pattern, a range, a length, a validator of the model's own | checked | not checked |
| a time with an offset, such as `10:00:00Z` | ok | `invalid`: a `TIME` has none |
| null in a list of optional items | ok | `invalid`: an array cannot contain NULL |
| the same member twice | the last counts | the first counts |
"""


def render() -> str:
    """Return the page."""
    rows = [
        f"| {python} | `{column}` |" if column[0].isupper() else f"| {python} | {column} |"
        for python, column in TYPES.items()
    ]
    words = [f"| `{word}` | `{kind.__name__}` |" for word, kind in WRITTEN.items()]
    words += ["| `ARRAY<…>` | `list[…]` |", "| `STRUCT<…>` | a model |"]
    return _HEAD + "\n".join(rows) + "\n" + _MIDDLE + "\n".join(words) + "\n" + _FOOT


if __name__ == "__main__":
    (ROOT / NAME).write_text(render(), encoding="utf-8")
