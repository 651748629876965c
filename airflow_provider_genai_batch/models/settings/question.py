"""A question to a person with two answers, of which one names the amount that it approves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

NO = "Reject"
_OPTION = re.compile(r"Approve up to ([0-9]+(?:\.[0-9]+)?) USD")


@dataclass(frozen=True)
class Question:
    """One question, with two answers: the amount stands in the one that approves, so none approves another."""

    usd: Decimal
    """The most that the whole task is expected to cost, rounded up."""
    subject: str
    body: str = field(repr=False)
    """Markdown."""
    assigned_users: Sequence[Mapping[str, str]] = ()
    """By ``id`` and ``name``; empty: no one in particular."""
    timeout: float | None = None
    """Seconds; None: it stays open."""
    on_timeout: str = NO
    """The option that counts then."""

    @property
    def yes(self) -> str:
        """The option that approves."""
        return option_of(self.usd)

    @property
    def options(self) -> list[str]:
        """Both options."""
        return [self.yes, NO]


def option_of(usd: Decimal) -> str:
    """Return the option that approves an amount."""
    return f"Approve up to {usd:f} USD"


def amount_in(option: Any) -> Decimal | None:
    """Return the amount that an option approves; None: it is no such option."""
    found = _OPTION.fullmatch(option) if isinstance(option, str) else None
    return None if found is None else Decimal(found[1])
