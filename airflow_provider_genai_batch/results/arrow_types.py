"""Columns of Parquet for JSON values, typed by their JSON Schema. Needs pyarrow, the extra ``parquet``.

A value without a fixed type (a free object, a union, a recursive schema) becomes JSON text. The field's metadata says
so, and the value is read back accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pydantic_core import from_json, to_json

Schema: TypeAlias = Mapping[str, Any]
Change: TypeAlias = Callable[[Any], Any]
JSON_TEXT = {b"genai_batch": b"json"}
"""Metadata of fields whose text is JSON."""
_INT64 = 1 << 63


class Column(NamedTuple):
    """How a JSON value is written.

    Attributes:
        type: the column's type.
        write: converts a value that is not None for pyarrow; returns None if the column cannot hold it.
        json: the column holds JSON text.
        plain: the column contains no JSON text, so pyarrow takes its values as they are if they all fit.
    """

    type: Any
    write: Change
    json: bool = False
    plain: bool = True

    def field(self, name: str, *, nullable: bool = True) -> Any:
        """Return the column's field."""
        return pa.field(name, self.type, nullable=nullable, metadata=JSON_TEXT if self.json else None)


class Scope(NamedTuple):
    """The context of a schema.

    Attributes:
        definitions: schemas by the names that references use.
        within: the references that lead to this schema.
        sparse: an absent member of an object means the same as null. Otherwise an object with optional members is
            JSON text, because a column could not distinguish absent from null.
    """

    definitions: Schema
    within: tuple[str, ...] = ()
    sparse: bool = False


def column_of(schema: Schema, scope: Scope | None = None) -> Column:
    """Return the column for values of a schema, in the form that Pydantic writes schemas.

    Args:
        schema: describes the values.
        scope: the schema's context; None if it is a whole schema.
    """
    scope = scope or Scope(schema.get("$defs", {}))
    if (reference := schema.get("$ref")) is not None:
        name = str(reference).rpartition("/")[2]
        if name in scope.within or name not in scope.definitions:
            return TEXT
        return column_of(scope.definitions[name], scope._replace(within=(*scope.within, name)))
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return column_of(kinds[0], scope) if len(kinds) == 1 else TEXT
    kind = schema.get("type")
    if kind == "array":
        return _list(schema, scope)
    if kind == "object":
        return _struct(schema, scope)
    return _PLAIN.get(kind, TEXT) if isinstance(kind, str) else TEXT


def has_lost(value: Any, written: Any) -> bool:
    """Whether a column could not hold all of a value, such as an integer of more than 64 bits."""
    if written is None or value is None:
        return value is not None
    if isinstance(written, dict):
        return any(has_lost(value.get(name), one) for name, one in written.items())
    if isinstance(written, list):
        return any(has_lost(one, other) for one, other in zip(value, written, strict=True))
    return False


def read_change(field: Any) -> Change | None:
    """Return a function that decodes the JSON text in a field's values, at any depth; None if there is none."""
    if field.metadata and b"genai_batch" in field.metadata:
        return from_json
    if pa.types.is_list(field.type):
        one = read_change(field.type.value_field)
        return None if one is None else lambda values: [None if v is None else one(v) for v in values]
    if pa.types.is_struct(field.type):
        changes = {each.name: change for each in field.type if (change := read_change(each))}
        return _each(changes) if changes else None
    return None


def _each(changes: Mapping[str, Change]) -> Change:
    def change(value: dict[str, Any]) -> dict[str, Any]:
        return value | {name: read(value[name]) for name, read in changes.items() if value[name] is not None}

    return change


def _list(schema: Schema, scope: Scope) -> Column:
    if not isinstance(schema.get("items"), Mapping):  # a tuple, or items of unknown type
        return TEXT
    item = column_of(schema["items"], scope)

    def write(value: Any) -> Any:
        return (
            [None if one is None else item.write(one) for one in value] if isinstance(value, list) else None
        )

    return Column(pa.list_(item.field("element")), write, plain=item.plain)


def _struct(schema: Schema, scope: Scope) -> Column:
    properties = schema.get("properties")
    whole = scope.sparse or set(schema.get("required", ())) >= set(properties or ())
    if not properties or schema.get("additionalProperties") or not whole:
        return TEXT
    columns = {name: column_of(one, scope) for name, one in properties.items()}

    def write(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {
            name: None if (one := value.get(name)) is None else column.write(one)
            for name, column in columns.items()
        }

    kind = pa.struct([column.field(name) for name, column in columns.items()])
    return Column(kind, write, plain=all(column.plain for column in columns.values()))


def _int64(value: Any) -> int | None:
    """Return an integer; None if it exceeds 64 bits, which only a faulty service sends."""
    return value if type(value) is int and -_INT64 <= value < _INT64 else None


def _double(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _only(kind: type) -> Change:
    return lambda value: value if type(value) is kind else None


TEXT = Column(pa.string(), lambda value: to_json(value).decode(), json=True, plain=False)
_PLAIN = {
    "string": Column(pa.string(), _only(str)),
    "boolean": Column(pa.bool_(), _only(bool)),
    "integer": Column(pa.int64(), _int64),
    "number": Column(pa.float64(), _double),
}
