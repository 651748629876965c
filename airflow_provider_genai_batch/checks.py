"""Checks over all rows of a task, which must hold before the task succeeds.

They are given to ``GenAIBatchOperator(checks=[…])``, are evaluated while rows land, and keep no row in memory.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun

__all__ = ["Check", "drift", "invalid_share", "length", "null_share", "share"]


class Check(Noun):
    """One check; the functions of this module make it. Its texts may be templates."""

    kind: str
    """The function that made it."""
    field: str | None = None
    """Of answers that have a type, with dots into inner objects; None: the text of the answer."""
    value: Any = None
    """For `share`."""
    least: float
    most: float

    @property
    def name(self) -> str:
        """What is checked, in words."""
        of = f" of {self.field}" if self.field else ""
        return f"{self.kind}{of}{f' = {self.value!r}' if self.kind == 'share' else ''}"

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name} between {self.least:g} and {self.most:g}"


def share(field: str, value: Any, *, between: tuple[float, float]) -> Check:
    """Bound the share of good rows whose field has a value.

    Args:
        field: of the answer, with dots into inner objects: ``"label"``, ``"address.city"``.
        value: as JSON has it: a string, a number, a bool or None.
        between: the smallest and the largest allowed share, from 0 to 1.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    if not isinstance(value, (str, int, float, bool, type(None))):
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
    """Bound the share of all rows whose status is ``invalid``, for whatever reason.

    Raises:
        ConfigurationError: the argument is invalid.
    """
    least, most = _range("invalid_share", (0, at_most), 1)
    return Check(kind="invalid_share", least=least, most=most)


def length(field: str | None = None, *, between: tuple[float, float]) -> Check:
    """Bound the mean length of good rows: characters of a text, items of a list.

    Args:
        field: of the answer; None: its text. Rows where it is null do not count.
        between: the smallest and the largest allowed mean.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    least, most = _range("length", between, float("inf"))
    return Check(
        kind="length", field=None if field is None else _field("length", field), least=least, most=most
    )


def drift(field: str, *, within: float) -> Check:
    """Bound how much new answers differ from earlier results that are used again.

    Of each value of the field its share among good rows that were asked today is compared with its share among those
    that were reused; the largest difference counts. Where nothing was reused, or nothing asked, there is no drift.

    Args:
        field: of the answer, one with few values, such as a label.
        within: the largest difference of shares, from 0 on and below 1.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    least, most = _range("drift", (0, within), 1)
    return Check(kind="drift", field=_field("drift", field), least=least, most=most)


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
        msg = f"{kind} is to be between {between!r}; give two numbers {of}, the lower one first, that bound something."
        raise ConfigurationError(msg)
    return float(numbers[0]), float(numbers[1])
