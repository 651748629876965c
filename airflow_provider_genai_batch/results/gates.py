"""Checks of rows, counted while the rows land; each check holds a few numbers and no rows.

`wire.tables.gates` counts the same in BigQuery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Raw
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.models import Checked, RowCounts
from airflow_provider_genai_batch.wire.answers.answer import PlainRow

_MOST_VALUES, _OTHERS = 1000, "others"
"""The most distinct values of a field whose shares are compared; all others count as one."""


class Gates:
    """The running counts of some checks."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._counts = [_Drift(check) if check.kind == "drift" else _Count(check) for check in checks]
        self._typed = any(count.path for count in self._counts)

    def watch(self, rows: Iterable[PlainRow]) -> Iterator[PlainRow]:
        """Pass on the landed rows, one for each request, and count the good ones."""
        for row in rows:
            if row["status"] == "ok":
                answer = _answer(row) if self._typed else None
                for count in self._counts:
                    count.take(row, answer)
            yield row

    def found(self, rows: RowCounts) -> tuple[Checked, ...]:
        """Return the results of the checks after all rows have passed."""
        return tuple(count.found(rows) for count in self._counts)


def counted(check: Check, number: int, of: int) -> Checked:
    """Return the result of a check of a share or a mean.

    Args:
        check: the check.
        number: the number of rows, or the sum of the lengths.
        of: the number of rows that were looked at.
    """
    value = number / of if of else None
    passed = value is not None and check.least <= value <= check.most
    return Checked(check=check.name, value=value, least=check.least, most=check.most, rows=of, passed=passed)


def drifted(check: Check, value: float | None, rows: int) -> Checked:
    """Return the result of a check of the largest difference of shares; None: there were no shares to compare."""
    passed = value is None or value <= check.most
    return Checked(
        check=check.name, value=value, least=check.least, most=check.most, rows=rows, passed=passed
    )


def found_in_table(
    checks: Sequence[Check], found: Mapping[str, float | None], rows: RowCounts
) -> tuple[Checked, ...]:
    """Return the results of checks that BigQuery has counted.

    Args:
        checks: the checks.
        found: the row of `wire.tables.gates.TableGates.query`.
        rows: the numbers of rows by status.
    """
    results = []
    for number, check in enumerate(checks):
        if check.kind == "drift":
            results.append(drifted(check, found[f"most_{number}"], rows.ok))
        elif check.kind == "invalid_share":
            results.append(counted(check, rows.invalid, rows.total))
        else:
            results.append(counted(check, int(found[f"sum_{number}"] or 0), int(found[f"of_{number}"] or 0)))
    return tuple(results)


class _Drift:
    """How often each value occurred, in newly generated rows and in reused rows."""

    def __init__(self, check: Check) -> None:
        self.path = tuple((check.field or "").split("."))
        self._check = check
        self._asked: Counter[str] = Counter()
        self._reused: Counter[str] = Counter()

    def take(self, row: PlainRow, answer: Any) -> None:
        """Count a good row."""
        counts = self._reused if "reused_from" in row else self._asked
        value = to_json(_member(answer, self.path)).decode()
        counts[value if value in counts or len(counts) < _MOST_VALUES else _OTHERS] += 1

    def found(self, _rows: RowCounts) -> Checked:
        """Return the largest difference between the shares of a value."""
        check, asked, reused = self._check, self._asked.total(), self._reused.total()
        value = None
        if asked and reused:
            values = {*self._asked, *self._reused}
            value = max(abs(self._asked[one] / asked - self._reused[one] / reused) for one in values)
        return drifted(check, value, asked + reused)


class _Count:
    """The counts of one check."""

    def __init__(self, check: Check) -> None:
        self.path = tuple(check.field.split(".")) if check.field else ()
        self._check, self._rows, self._sum = check, 0, 0

    def take(self, row: PlainRow, answer: Any) -> None:
        """Count a good row."""
        kind = self._check.kind
        if kind == "invalid_share":
            return
        value = _member(answer, self.path) if self.path else row["text"]
        if kind == "length":
            if isinstance(value, (str, list)):
                self._rows += 1
                self._sum += len(value)
            return
        self._rows += 1
        self._sum += value is None if kind == "null_share" else _is(value, self._check.value)

    def found(self, rows: RowCounts) -> Checked:
        check = self._check
        number, of = (rows.invalid, rows.total) if check.kind == "invalid_share" else (self._sum, self._rows)
        return counted(check, number, of)


def _answer(row: PlainRow) -> Any:
    """Return the answer as JSON; a text without an output type may be JSON as well."""
    output = row["output"]
    if isinstance(output, Raw):
        return from_json(bytes(output))
    if output is not None:
        return output
    try:
        return from_json(row["text"] or "null")
    except ValueError:
        return None


def _member(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _is(value: Any, wanted: Any) -> bool:
    """Whether two values are the same in JSON, where True is not 1."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
