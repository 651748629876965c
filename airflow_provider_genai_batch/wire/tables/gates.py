"""SQL that counts what checks of all rows look at, in the table that the answers were written to.

The numbers are those that `results.gates` counts over rows that pass the worker, but for a drift each value counts by
itself, however many there are. What a typed column cannot tell, such as whether an array was null, is refused.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.wire.tables import judge
from airflow_provider_genai_batch.wire.tables.sql import TableName, literal, name
from airflow_provider_genai_batch.wire.tables.types import NUMERIC, Column

_GOOD = "t.row_status = 'ok'"
_ANSWER = Column("answer", "STRING")
_WRITTEN = ("STRING", "DATE", "TIMESTAMP", "TIME", NUMERIC)
"""Types whose values are texts in the JSON of an answer."""
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class TableGates:
    """The checks of the rows of a table.

    Attributes:
        checks: the checks.
        columns: columns of the answers; None: text.
        renamed: new names of these columns.
    """

    checks: Sequence[Check]
    columns: Sequence[Column] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def query(self, table: TableName) -> str:
        """Return the query: one row with ``good``, the number of good rows, and the counts of each check.

        These are named by the check's place: ``sum_0`` of ``of_0`` values, or for `drift` the largest difference,
        ``most_0``. `invalid_share` needs none of them.

        Raises:
            ConfigurationError: a check cannot be counted in these columns.
        """
        rows, counts, drifts = self._rows(table), ["COUNT(*) AS good"], list[str]()
        for number, check in enumerate(self.checks):
            if check.kind == "drift":
                drifts.append(f"({_drift(self._found(check), number, rows)}) AS d{number}")
            elif check.kind != "invalid_share":
                counts += self._counts(check, number)
        whole = f"(SELECT {', '.join(counts)} FROM {rows} WHERE {_GOOD}) AS c"
        return f"SELECT * FROM {' CROSS JOIN '.join([whole, *drifts])}"

    @property
    def needs_query(self) -> bool:
        """Whether a check is not decided by the numbers of rows alone."""
        return any(check.kind != "invalid_share" for check in self.checks)

    def _rows(self, table: TableName) -> str:
        """Return the SQL of the rows; if answers are text and a check names a field, with their JSON."""
        if self.columns is not None or not any(check.field for check in self.checks):
            return f"{table} AS t"
        more = ", reused_from" if any(check.kind == "drift" for check in self.checks) else ""
        parsed = f"SAFE.PARSE_JSON({self._text}, wide_number_mode=>'round') AS parsed"
        return f"(SELECT row_status, {self._text}, {parsed}{more} FROM {table}) AS t"

    @property
    def _text(self) -> str:
        return name(self.renamed.get(_ANSWER.name, _ANSWER.name))

    def _counts(self, check: Check, number: int) -> list[str]:
        found = self._found(check)
        if check.kind == "length":
            size = found.length()
            return [f"SUM({size}) AS sum_{number}", f"COUNT({size}) AS of_{number}"]
        condition = found.is_null() if check.kind == "null_share" else found.equals()
        return [f"COUNTIF({condition}) AS sum_{number}", f"COUNT(*) AS of_{number}"]

    def _found(self, check: Check) -> _Value:
        """Return the value that a check looks at.

        Raises:
            ConfigurationError: the answers have no such value.
        """
        path = check.field.split(".") if check.field else []
        if self.columns is None:
            return _inside("t.parsed", path, check) if path else _Value(check, f"t.{self._text}", _ANSWER)
        if not path:
            reason = "the table has the fields of an answer and not its text. Name a field of the answer"
            raise _cannot(check, reason)
        column, sql = Column("", "STRUCT", fields=tuple(self.columns)), "t"
        for depth, part in enumerate(path):
            if column.repeated:
                reason = f"{column.name!r} is a list. Name it without what is in it"
                raise _cannot(check, reason)
            column = _member(column, part, check)
            sql = f"{sql}.{name(part if depth else self.renamed.get(part, part))}"
            if column.kind == "JSON":
                return _inside(sql, path[depth + 1 :], check)
        return _Value(check, sql, column)


def _member(column: Column, field: str, check: Check) -> Column:
    for one in column.fields:
        if one.name == field:
            return one
    names = ", ".join(one.name for one in column.fields) or "none"
    raise _cannot(check, f"there is no field {field!r}; the fields are: {names}. Name one of them")


@dataclass(frozen=True)
class _Value:
    """What a check looks at in one row.

    Attributes:
        check: the check.
        sql: the value's SQL.
        column: the type of the value.
    """

    check: Check
    sql: str
    column: Column

    def is_null(self) -> str:
        """Return the condition that it is null or missing."""
        if self.column.repeated:
            reason = "an array in BigQuery is never null. Bound its length instead"
            raise _cannot(self.check, reason)
        if self.column.kind == "JSON":
            return f"IFNULL(JSON_TYPE({self.sql}) = 'null', TRUE)"
        return f"{self.sql} IS NULL"

    def equals(self) -> str:
        """Return the condition that it is the value of the check."""
        wanted, kind = self.check.value, self.column.kind
        if wanted is None:
            return self.is_null()
        if kind == "JSON":
            return judge.equals(self.sql, wanted)
        known = not self.column.repeated
        if known and isinstance(wanted, bool) and kind == "BOOL":
            return f"{self.sql} = {str(wanted).upper()}"
        if known and isinstance(wanted, str) and kind in _WRITTEN:
            text = literal(wanted)
            return f"{self.sql} = {text if kind == 'STRING' else f'SAFE_CAST({text} AS {kind})'}"
        number = isinstance(wanted, (int, float)) and not isinstance(wanted, bool)
        if known and number and kind == "FLOAT64":
            return f"{self.sql} = {float(wanted)!r}"
        if known and number and kind == "INT64" and wanted == int(wanted) and int(wanted) in _INT64:
            return f"{self.sql} = {int(wanted)}"
        written = ", whose values are texts in an answer" if kind in _WRITTEN[1:] else ""
        reason = (
            f"a column of type {self.column.type}{written} never has this value. Give one that it can have"
        )
        raise _cannot(self.check, reason)

    def length(self) -> str:
        """Return its length; NULL for a value without one."""
        kind = self.column.kind
        if kind == "JSON":
            return judge.length(self.sql)
        if self.column.repeated:
            return f"ARRAY_LENGTH({self.sql})"
        if kind == "STRING":
            return f"CHAR_LENGTH({self.sql})"
        reason = f"a value of type {self.column.type} has none. Name a text or a list"
        raise _cannot(self.check, reason)


def _inside(sql: str, path: Sequence[str], check: Check) -> _Value:
    return _Value(check, sql + "".join(f"[{literal(part)}]" for part in path), Column("", "JSON"))


def _drift(value: _Value, number: int, rows: str) -> str:
    """Return the query of the largest difference between the shares of a value."""
    seen = (
        f"SELECT IFNULL(TO_JSON_STRING({value.sql}), 'null') AS value, t.reused_from IS NULL AS asked "
        f"FROM {rows} WHERE {_GOOD}"
    )
    counted = ("COUNTIF(asked)", "COUNTIF(NOT asked)")
    shares = [f"SAFE_DIVIDE({one}, SUM({one}) OVER ())" for one in counted]
    return (
        f"SELECT MAX(ABS(asked - reused)) AS most_{number} FROM "
        f"(SELECT {shares[0]} AS asked, {shares[1]} AS reused FROM ({seen}) GROUP BY value)"
    )


def _cannot(check: Check, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{check.name} cannot be counted in BigQuery: {reason}, or let the rows pass the worker by "
        'validate="python". Nothing was sent.'
    )
