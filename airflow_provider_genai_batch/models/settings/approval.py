"""The approval of a task's cost by a person, before the task goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Line, Noun

REJECT, APPROVE = "reject", "approve"


class Approval(Noun):
    """When a person is asked, who may answer, and for how long. Each field may be a template.

    Args:
        above: USD; a task that may cost more asks a person.
        assigned_users: users who may answer, each by the id that Airflow's auth manager has, or as a mapping of ``id``
            and ``name``; None: all who may edit required actions of the DAG.
        timeout: seconds or timedelta to wait for an answer; None: no limit.
        on_timeout: what counts if nobody answers in time, ``reject`` or ``approve``.
    """

    above: Any
    assigned_users: Any = None
    timeout: Any = None
    on_timeout: Any = REJECT

    def __init__(self, above: Any, **settings: Any) -> None:
        super().__init__(**{"above": above, **settings})

    @classmethod
    def of(cls, value: Any) -> Approval | None:
        """Read ``approve_above``: an `Approval`, or only the amount."""
        return value if value is None or isinstance(value, cls) else cls(value)

    @property
    def users(self) -> list[dict[str, str]]:
        """Users who may answer, in Airflow's form; empty: no one in particular."""
        return [_user(one) for one in _listed(self.assigned_users)]

    @property
    def seconds(self) -> float | None:
        """Seconds to wait for an answer; None: no limit."""
        value = self.timeout
        seconds: float | None = value.total_seconds() if isinstance(value, timedelta) else value
        return seconds


class Approved(Noun):
    """An approval: an amount, for the requests with one fingerprint."""

    usd: float
    fingerprint: Line
    by: Line | None = None
    """The user who approved; None: nobody answered in time, and that counts as an approval."""
    at: datetime | None = None


def check_approval(value: Any) -> None:
    """Refuse an invalid ``approve_above``.

    Raises:
        ConfigurationError: the message says what is valid.
    """
    approval = Approval.of(value)
    if approval is None:
        return
    if not _is_number(approval.above) or not 0 <= approval.above < math.inf:
        msg = f"approve_above is {approval.above!r}; give USD, 0 or more, as a number."
        raise ConfigurationError(msg)
    seconds: Any = approval.seconds
    if seconds is not None and not (_is_number(seconds) and 0 < seconds < math.inf):
        msg = f"timeout of approve_above is {approval.timeout!r}; give seconds above 0, as a number or a timedelta."
        raise ConfigurationError(msg)
    if approval.on_timeout not in (REJECT, APPROVE):
        msg = f'on_timeout of approve_above is "{REJECT}" or "{APPROVE}", not {approval.on_timeout!r}.'
        raise ConfigurationError(msg)
    users = approval.assigned_users
    if users is not None and (not _listed(users) or not all(map(_is_user, _listed(users)))):
        msg = (
            f"assigned_users of approve_above is {users!r}; give ids of Airflow's users as strings, or mappings of id "
            "and name, and at least one."
        )
        raise ConfigurationError(msg)


def _listed(users: Any) -> list[Any]:
    if users is None:
        return []
    return [users] if isinstance(users, (str, Mapping)) else [*users]


def _is_user(one: Any) -> bool:
    known = one if isinstance(one, Mapping) else {"id": one}
    return bool(known.get("id")) and all(isinstance(part, str) for part in known.values())


def _user(one: Any) -> dict[str, str]:
    if isinstance(one, Mapping):
        return {"id": one["id"], "name": one.get("name") or one["id"]}
    return {"id": one, "name": one}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
