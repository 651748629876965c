"""SQL that checks an answer's JSON against the output type, and reads its values.

Sources: BigQuery's "JSON functions"; the words of ``JSON_TYPE`` are those of the service and of DuckDB, on which the
emulator's BigQuery is built.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_json

from airflow_provider_genai_batch.wire.tables.sql import literal, name
from airflow_provider_genai_batch.wire.tables.types import NUMERIC, Column

_TEXTS = "('string', 'varchar')"
_NUMBERS = "('number', 'bigint', 'ubigint', 'hugeint', 'double')"
_NUMBERS_AND_TEXTS = "('number', 'bigint', 'ubigint', 'hugeint', 'double', 'string', 'varchar')"
_INTEGER = r"r'^(-?[0-9]+)(?:[.]0+)?$'"
_DATE = r"r'^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T00:00:00)?$'"

_TIME = r"r'^([0-9:.]+)$'"
"""A time without an offset, which no column can hold."""


def fits(column: Column, parent: str) -> str:
    """Return the condition that a member of an object is valid for a column; never NULL.

    Args:
        column: from the output type.
        parent: SQL of the object, of type JSON.
    """
    value = _member(parent, column.name)
    good = _fits_kind(column, value, depth=0)
    if column.nullable:
        good = f"(JSON_TYPE({value}) = 'null' OR {good})"
    if column.required:
        return f"IFNULL({value} IS NOT NULL AND {good}, FALSE)"
    return f"IFNULL({value} IS NULL OR {good}, FALSE)"


def read(column: Column, parent: str) -> str:
    """Return the SQL that reads a member of an object as a column's value, if it is valid."""
    value = _member(parent, column.name)
    found = _value(column, value, depth=0)
    return _or_default(column, value, found)


def equals(value: str, wanted: str | float) -> str:  # a bool is an int
    """Return the condition that a value of type JSON is a text, number or bool."""
    if isinstance(wanted, str):
        types, found, other = _TEXTS, _text(value), literal(wanted)
    elif isinstance(wanted, bool):
        types, found, other = "('boolean')", _text(value), literal(_written(wanted))
    else:
        types, found, other = _NUMBERS, f"SAFE_CAST({_text(value)} AS FLOAT64)", repr(float(wanted))
    return f"JSON_TYPE({value}) IN {types} AND {found} = {other}"


def length(value: str) -> str:
    """Return the SQL of the length of a value of type JSON: characters of a text, items of an array, else NULL."""
    kind = f"JSON_TYPE({value})"
    items = f"IF({kind} = 'array', ARRAY_LENGTH({_items(value)}), NULL)"
    return f"IF({kind} IN {_TEXTS}, CHAR_LENGTH({_text(value)}), {items})"


def _member(parent: str, field: str) -> str:
    return f"{parent}[{literal(field)}]"


def _text(value: str) -> str:
    return f"JSON_VALUE({value}, '$')"


def _fits_kind(column: Column, value: str, depth: int) -> str:
    if column.repeated:
        item, items = f"e{depth}", _items(value)
        bad = f"NOT IFNULL({_fits_one(column, item, depth + 1)}, FALSE)"
        return f"(JSON_TYPE({value}) = 'array' AND NOT EXISTS (SELECT 1 FROM UNNEST({items}) AS {item} WHERE {bad}))"
    return _fits_one(column, value, depth)


def _fits_one(column: Column, value: str, depth: int) -> str:
    kind = f"JSON_TYPE({value})"
    if column.choices:
        among = ", ".join(literal(text) for choice in column.choices for text in _spellings(choice))
        # Response schemas have enumerations of texts only, so a number may come as a text.
        types = _TEXTS if column.kind == "STRING" else f"{_NUMBERS_AND_TEXTS[:-1]}, 'boolean')"
        return f"({kind} IN {types} AND {_text(value)} IN ({among}))"
    if column.kind == "STRUCT":
        inner = " AND ".join(_fits_field(field, value, depth) for field in column.fields)
        return f"({kind} = 'object' AND {inner})"
    if column.kind == "JSON":
        return f"{kind} = '{column.shape}'" if column.shape else "TRUE"
    if column.kind == "STRING":
        return f"{kind} IN {_TEXTS}"
    if column.kind == "BOOL":
        return f"{kind} = 'boolean'"
    types = {"INT64": _NUMBERS, "FLOAT64": _NUMBERS, NUMERIC: _NUMBERS_AND_TEXTS}.get(column.kind, _TEXTS)
    return f"({kind} IN {types} AND {_value_one(column, value, depth)} IS NOT NULL)"


def _fits_field(field: Column, parent: str, depth: int) -> str:
    value = _member(parent, field.name)
    good = _fits_kind(field, value, depth)
    if field.nullable:
        good = f"(JSON_TYPE({value}) = 'null' OR {good})"
    return f"{value} IS NOT NULL AND {good}" if field.required else f"({value} IS NULL OR {good})"


def _value(column: Column, value: str, depth: int) -> str:
    if not column.repeated:
        return _value_one(column, value, depth)
    item, place = f"e{depth}", f"i{depth}"
    inner = _value_one(column, item, depth + 1)
    return f"ARRAY(SELECT {inner} FROM UNNEST({_items(value)}) AS {item} WITH OFFSET AS {place} ORDER BY {place})"


def _value_one(column: Column, value: str, depth: int) -> str:
    text = _text(value)
    if column.kind == "STRUCT":
        inner = ", ".join(
            f"{_of_field(field, value, depth)} AS {name(field.name)}" for field in column.fields
        )
        return f"IF(JSON_TYPE({value}) = 'object', STRUCT({inner}), NULL)"
    if column.kind == "JSON":
        return f"IF(JSON_TYPE({value}) = 'null', NULL, {value})"
    if column.kind == "STRING":
        return text
    if column.kind == "INT64":
        text = f"REGEXP_EXTRACT({text}, {_INTEGER})"
    elif column.kind == "DATE":
        text = f"REGEXP_EXTRACT({text}, {_DATE})"
    elif column.kind == "TIME":
        text = f"REGEXP_EXTRACT({text}, {_TIME})"
    return f"SAFE_CAST({text} AS {column.kind})"


def _of_field(field: Column, parent: str, depth: int) -> str:
    value = _member(parent, field.name)
    found = _value(field, value, depth)
    return _or_default(field, value, found)


def _or_default(column: Column, value: str, found: str) -> str:
    """Return the SQL of a column's default where an answer lacks the value. Both have the column's type."""
    if column.default is None:
        return found
    default = literal(_written(column.default))
    if column.kind == "JSON":
        default = f"PARSE_JSON({literal(to_json(column.default).decode())})"
    elif column.kind != "STRING":
        default = f"SAFE_CAST({default} AS {column.kind})"
    return f"IF({value} IS NULL, {default}, {found})"


def _items(value: str) -> str:
    """Return the SQL of an array's items; except at the service, a value that is not an array would be an error."""
    return f"JSON_QUERY_ARRAY(IF(JSON_TYPE({value}) = 'array', {value}, NULL), '$')"


def _spellings(choice: object) -> list[str]:
    """Return the texts that a value of an enumeration may have in JSON: ``1.0`` is also written ``1``."""
    text = _written(choice)
    return [text, text.removesuffix(".0")] if isinstance(choice, float) and text.endswith(".0") else [text]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def misfits(columns: Sequence[Column], parent: str) -> str:
    """Return the SQL of the invalid columns' names, each after a blank; empty if all are valid."""
    return (
        "CONCAT('', "
        + ", ".join(f"IF({fits(one, parent)}, '', {literal(' ' + one.name)})" for one in columns)
        + ")"
    )
