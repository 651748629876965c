"""A question to a person, with two answers; the approving answer contains the amount that it approves."""

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
    """One question with two answers. The approving answer contains the amount, so it cannot approve another one."""

    usd: Decimal
    """The most that the whole task is expected to cost, rounded up."""
    subject: str
    body: str = field(repr=False)
    """Markdown."""
    assigned_users: Sequence[Mapping[str, str]] = ()
    """Users who may answer, by ``id`` and ``name``; empty: no one in particular."""
    timeout: float | None = None
    """Seconds until the question ends; None: it stays open."""
    on_timeout: str = NO
    """The option that counts if nobody answers in time."""

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
    """Return the amount that an option approves; None if it does not approve one."""
    found = _OPTION.fullmatch(option) if isinstance(option, str) else None
    return None if found is None else Decimal(found[1])
