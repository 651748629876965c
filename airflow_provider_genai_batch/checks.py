"""Checks over all rows of a task, which must hold before the task succeeds.

Pass them to ``GenAIBatchOperator(checks=[…])``. They are evaluated while rows land, and keep no row in memory.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun

__all__ = ["Check", "drift", "invalid_share", "length", "null_share", "share"]


class Check(Noun):
    """One check, made by a function of this module. Its texts may be Jinja templates."""

    kind: str
    """The name of the function that made it."""
    field: str | None = None
    """A field of typed answers, with dots for nested objects; None: the text of the answer."""
    value: Any = None
    """The value that `share` counts."""
    least: float
    most: float

    @property
    def name(self) -> str:
        """A description of what is checked."""
        of = f" of {self.field}" if self.field else ""
        return f"{self.kind}{of}{f' = {self.value!r}' if self.kind == 'share' else ''}"

    def __str__(self) -> str:
        """Return the description with the bounds."""
        return f"{self.name} between {self.least:g} and {self.most:g}"


def share(field: str, value: Any, *, between: tuple[float, float]) -> Check:
    """Bound the share of good rows whose field has a value.

    Args:
        field: a field of the answer, with dots for nested objects: ``"label"``, ``"address.city"``.
        value: a JSON value: a string, a number, a bool or None.
        between: the smallest and the largest allowed share, from 0 to 1.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    if not isinstance(value, (str, int, float, bool, type(None))) or not _is_finite(value):
        msg = f"share({field!r}) compares with {value!r}, which no field of an answer is: give a string or a number."
        raise ConfigurationError(msg)
    least, most = _range("share", between, 1)
    return Check(kind="share", field=_field("share", field), value=value, least=least, most=most)


def null_share(field: str, *, at_most: float) -> Check:
    """Bound the share of good rows whose field is null or missing.

    Raises:
        ConfigurationError: the argument is invalid.
    """
    least, most = _range("null_share", (0, at_most), 1)
    return Check(kind="null_share", field=_field("null_share", field), least=least, most=most)


def invalid_share(*, at_most: float) -> Check:
    """Bound the share of all rows whose status is ``invalid``, for any reason.

    Raises:
        ConfigurationError: the argument is invalid.
    """
    least, most = _range("invalid_share", (0, at_most), 1)
    return Check(kind="invalid_share", least=least, most=most)


def length(field: str | None = None, *, between: tuple[float, float]) -> Check:
    """Bound the mean length of good rows: characters of a text, items of a list.

    Args:
        field: a field of the answer; None: the text of the answer. Rows in which it is null do not count.
        between: the smallest and the largest allowed mean.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    least, most = _range("length", between, float("inf"))
    return Check(
        kind="length", field=None if field is None else _field("length", field), least=least, most=most
    )


def drift(field: str, *, within: float) -> Check:
    """Bound how much new answers differ from earlier results that are reused.

    For each value of the field, its share among the good rows that were submitted today is compared with its share
    among the reused rows. The largest difference counts. If nothing was reused, or nothing submitted, there is no
    drift.

    Args:
        field: a field of the answer with few values, such as a label.
        within: the largest allowed difference of shares, at least 0 and below 1.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    least, most = _range("drift", (0, within), 1)
    return Check(kind="drift", field=_field("drift", field), least=least, most=most)


def _is_finite(value: Any) -> bool:
    """Whether a value is no number beyond those of a double."""
    if isinstance(value, str):
        return True
    try:
        return value is None or isfinite(value)
    except OverflowError:
        return False


def _field(kind: str, field: Any) -> str:
    if not isinstance(field, str) or not all(field.split(".")):
        msg = f'{kind} looks at a field of answers, such as "label" or "address.city", not at {field!r}.'
        raise ConfigurationError(msg)
    return field


def _range(kind: str, between: Any, top: float) -> tuple[float, float]:
    numbers = between if isinstance(between, (tuple, list)) else ()
    good = len(numbers) == 2 and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
    if not good or not 0 <= numbers[0] <= numbers[1] <= top or (numbers[0], numbers[1]) == (0, top):
        of = f"from 0 to {top:g}" if top == 1 else "from 0 on"
        msg = f"{kind} has the bounds {between!r}; give two numbers {of}, the lower one first, that exclude something."
        raise ConfigurationError(msg)
    return float(numbers[0]), float(numbers[1])
