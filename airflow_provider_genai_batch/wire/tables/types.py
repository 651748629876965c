"""The type table: maps the fields of answers to BigQuery columns.

SQL checks answers as Pydantic does in strict mode, by type, enumeration and presence. The documentation of types lists
the differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from typing_extensions import override

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.wire.schemas.output_type import has_aliases

NUMERIC = "NUMERIC(38, 9)"
"""With its width: outside the service, a plain NUMERIC has three decimals."""
_FORMATS = {"date": "DATE", "date-time": "TIMESTAMP", "time": "TIME"}
_PLAIN = {"string": "STRING", "integer": "INT64", "number": "FLOAT64", "boolean": "BOOL"}
_MODES: tuple[JsonSchemaMode, ...] = ("validation", "serialization")
_OF_VALUES = {str: "STRING", int: "INT64", float: "FLOAT64", bool: "BOOL"}

TYPES: Mapping[str, str] = {
    "`str`, `UUID`, and any text": "STRING",
    "`Literal`, `Enum`": "the type of its values",
    "`int`": "INT64",
    "`float`": "FLOAT64",
    "`bool`": "BOOL",
    "`Decimal`": NUMERIC,
    "`date`": "DATE",
    "`datetime`": "TIMESTAMP",
    "`time`": "TIME",
    "`list[…]`, `set[…]` of these or of a model": "ARRAY<…>",
    "a model, dataclass or `TypedDict`": "STRUCT<…>",
    "`dict`, a union, a list of lists, a tuple, a model that holds itself": "JSON",
}
"""For the documentation, in this order."""


@dataclass(frozen=True)
class Column:
    """A field of answers as a column."""

    name: str
    kind: str
    """STRING, INT64, FLOAT64, BOOL, NUMERIC(38, 9), DATE, TIMESTAMP, TIME, JSON or STRUCT; for arrays, the items'."""
    repeated: bool = False
    required: bool = True
    """The answer must have it."""
    nullable: bool = False
    """It may be null in the answer."""
    choices: tuple[Any, ...] = ()
    """The values of an enumeration."""
    default: str | int | float | bool | None = None
    """The value if the answer does not have it."""
    shape: str = ""
    """For JSON: ``object`` or ``array``, empty for anything."""
    fields: tuple[Column, ...] = ()
    """The fields of a STRUCT."""
    written: str = ""
    """Its name in the JSON that Pydantic writes of an answer, if types have aliases; empty: `name`."""

    @property
    def type(self) -> str:
        """Return the type in DDL."""
        inner = self.kind
        if self.fields:
            inner = f"STRUCT<{', '.join(f'`{field.name}` {field.type}' for field in self.fields)}>"
        return f"ARRAY<{inner}>" if self.repeated else inner


def columns_of(output_type: Any) -> tuple[Column, ...]:
    """Return the columns of a type with fields.

    Args:
        output_type: a Pydantic model, a dataclass or a ``TypedDict``.

    Raises:
        InputError: it has no fields, or one that cannot be a column.
    """
    try:
        adapter = TypeAdapter(output_type)
        root = _column_of(adapter)
        if has_aliases(adapter.core_schema):
            own, dumped = (_column_of(adapter, mode, by_alias=False) for mode in _MODES)
            root = _with_written(root, own, dumped, _column_of(adapter, "serialization"))
    except PydanticUserError as error:
        msg = f"output_type={output_type!r} has no JSON Schema, so it makes no columns: {error.message}"
        raise InputError(msg) from error
    if root.kind != "STRUCT" or root.repeated:
        msg = f"output_type={output_type!r} has no fields to make columns of: give a Pydantic model with one for each"
        raise InputError(msg)
    return root.fields


def _column_of(
    adapter: TypeAdapter[Any],
    mode: JsonSchemaMode = "validation",
    *,
    by_alias: bool = True,
) -> Column:
    schema = adapter.json_schema(schema_generator=_Marked, mode=mode, by_alias=by_alias)
    return _Reader(schema.get("$defs") or {}).column("answer", schema)


def _with_written(column: Column, own: Column, dumped: Column, written: Column) -> Column:
    """Return a column with the names by which Pydantic writes it and its fields: reading may have other aliases.

    Args:
        column: as it is read.
        own: the same, by the names of the type's attributes.
        dumped: as it is written, by the names of the type's attributes.
        written: the same, by the names in JSON.
    """
    pairs = {one.name: (one, other) for one, other in zip(dumped.fields, written.fields, strict=True)}
    fields = []
    for one, attribute in zip(column.fields, own.fields, strict=True):
        both = pairs.get(attribute.name, (attribute, attribute))
        fields.append(replace(_with_written(one, attribute, *both), written=both[1].name))
    return replace(column, fields=tuple(fields))


class _Marked(GenerateJsonSchema):
    """Gives decimals and bytes a format, to distinguish them from numbers and texts."""

    @override
    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "number", "format": "decimal"}

    @override
    def bytes_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "string", "format": "bytes"}


class _Reader:
    """Reads one JSON Schema, and tracks the references that are being read."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions, self._open = definitions, list[str]()

    def column(self, name: str, given: Mapping[str, Any], *, required: bool = True) -> Column:
        """Return the column of one field."""
        default = given.get("default")
        known = default if isinstance(default, (str, int, float, bool)) else None
        return replace(self._kind(name, given), required=required, default=None if required else known)

    def _kind(self, name: str, given: Mapping[str, Any]) -> Column:
        if len(parts := given.get("allOf") or [{}, {}]) == 1:
            given = {**parts[0], **given}
        if (reference := str(given.get("$ref", "")).rpartition("/")[2]) in self._definitions:
            if reference in self._open:
                return Column(name, "JSON", shape="object")
            self._open.append(reference)
            try:
                return self._kind(name, self._definitions[reference])
            finally:
                self._open.pop()
        if "const" in given or "enum" in given:
            return _enumeration(name, [given["const"]] if "const" in given else given["enum"])
        if choices := given.get("anyOf") or given.get("oneOf"):
            some = [choice for choice in choices if choice.get("type") != "null"]
            found = self._kind(name, some[0]) if len(some) == 1 else Column(name, "JSON")
            return replace(found, nullable=found.nullable or len(some) < len(choices))
        return self._of_type(name, given)

    def _of_type(self, name: str, given: Mapping[str, Any]) -> Column:
        kind, form = given.get("type"), given.get("format")
        if kind == "object":
            fields = tuple(self._fields(given.get("properties") or {}, given.get("required") or ()))
            return Column(name, "STRUCT", fields=fields) if fields else Column(name, "JSON", shape="object")
        if kind == "array":
            return self._array(name, given)
        if form == "bytes":
            msg = f"output_type has bytes in {name!r}, which no answer has: make it a str"
            raise InputError(msg)
        if form == "decimal":
            return Column(name, NUMERIC)
        if kind == "string":
            return Column(name, _FORMATS.get(str(form), "STRING"))
        return Column(name, _PLAIN.get(str(kind), "JSON"))

    def _array(self, name: str, given: Mapping[str, Any]) -> Column:
        items = given.get("items")
        if isinstance(items, Mapping) and "prefixItems" not in given:
            item = self._kind(name, items)
            if not item.repeated and item.kind != "JSON":
                return replace(item, repeated=True, nullable=False)
        return Column(name, "JSON", shape="array")

    def _fields(self, properties: Mapping[str, Any], required: Any) -> Iterator[Column]:
        for name, given in properties.items():
            yield self.column(name, given, required=name in required)


def _enumeration(name: str, values: list[Any]) -> Column:
    kept = tuple(value for value in values if value is not None)
    kinds = {type(value) for value in kept}
    nullable = len(kept) < len(values)
    if len(kinds) == 1 and (kind := _OF_VALUES.get(kinds.pop())):
        return Column(name, kind, choices=kept, nullable=nullable)
    return Column(name, "JSON", nullable=nullable)
