"""Limits of calls, and what they have used so far: quotas per time, periods of load shedding, caps and queues.

Google no longer publishes the numbers of its quotas, so there are no limits unless a test sets them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS

if TYPE_CHECKING:
    from typing_extensions import Self

TIERS = ("flex", "standard", "priority")
_MINUTE, _SPEND_SECONDS, _DAY = 60, 600, 86_400
_MIDNIGHT_PACIFIC = 8 * 3600


@dataclass(frozen=True)
class Capacity:
    """The limits of calls, valid until they are changed. ``None``: no limit.

    Attributes:
        minute_tokens: Input tokens that a model accepts in a minute of the clock (Gemini API).
        day_requests: Requests that a model accepts in a day in California (Gemini API).
        spend_tokens: Input and output tokens that a project may use in any ten minutes (Gemini API). It stands for
            the dollars that the service counts.
        cap_tokens: Input and output tokens after which the monthly spending cap is reached (Gemini API).
        slots: Calls that a model can serve at a time; one more is refused for lack of capacity.
        spells: By tier, the seconds of serving and of shedding in turn, on the clock from the tier's first call on;
            ``(0, 1)`` always sheds.
        seconds: How long an answer takes, which is compared with ``X-Server-Timeout``; no call waits this long.
        latency: Real seconds that every call stays in its slot.
        enqueued_tokens: Tokens in all batches of a model that have not ended (Gemini API); a batch that would exceed
            this is refused at create. A token is four bytes of input here; it is not known how the service counts.
        tier_on_vertex: Whether Vertex AI ignores a tier in the body, which its reference does not have, instead of
            refusing it.
    """

    minute_tokens: int | None = None
    day_requests: int | None = None
    spend_tokens: int | None = None
    cap_tokens: int | None = None
    slots: int | None = None
    spells: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    latency: float = 0.0
    enqueued_tokens: int | None = None
    tier_on_vertex: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible values.

        Raises:
            ValueError: An unknown tier, a negative number, or a value of another type.
        """
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "spells":
                object.__setattr__(self, "spells", {tier: _spell(tier, pair) for tier, pair in value.items()})
            elif one.name == "tier_on_vertex":
                _check(type(value) is bool, one.name, value)
            elif one.name in {"seconds", "latency"}:
                _check(type(value) in {int, float} and value >= 0, one.name, value)
            else:
                _check(value is None or (type(value) is int and value >= 0), one.name, value)

    def to_json(self) -> dict[str, Any]:
        """Return every limit."""
        return {**asdict(self), "spells": {tier: list(pair) for tier, pair in self.spells.items()}}

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with some limits changed.

        Raises:
            ValueError: There is no such limit, or a value is impossible.
        """
        known = {one.name for one in fields(self)}
        if unknown := set(values) - known:
            message = f"no limit {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            raise ValueError(message)
        return replace(self, **values)


def _check(good: bool, name: str, value: object) -> None:
    if not good:
        message = f"{name} is not {value!r}"
        raise ValueError(message)


def _spell(tier: str, pair: Any) -> tuple[float, float]:
    _check(tier in TIERS, "a tier", tier)
    _check(isinstance(pair, (tuple, list)) and len(pair) == 2, f"spells of {tier}", pair)
    served, shed = (float(one) for one in pair)
    _check(min(served, shed) >= 0 and served + shed > 0, f"spells of {tier}", pair)
    return served, shed


class Usage:
    """The tokens and requests that were used since the start."""

    def __init__(self) -> None:
        """Begin with no usage."""
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, int], int] = {}
        self._days: dict[tuple[str, int], int] = {}
        self._spent: deque[tuple[int, int]] = deque()
        self._billed = 0
        self._running: dict[str, int] = {}
        self._began: dict[str, int] = {}

    def shed(self, capacity: Capacity, tier: str, now_ns: int) -> bool:
        """Return whether a tier is shedding load now."""
        if tier not in capacity.spells:
            return False
        served, shed = capacity.spells[tier]
        with self._lock:
            began = self._began.setdefault(tier, now_ns)
        return (now_ns - began) / NANOSECONDS % (served + shed) >= served

    def wait_for_minute(self, model: str, asked: int, most: int, now_ns: int) -> float:
        """Count input tokens in this minute; return the seconds until the next minute if too many, else 0."""
        minute, into = divmod(now_ns, _MINUTE * NANOSECONDS)
        with self._lock:
            used = self._minutes.get((model, minute), 0)
            # A request above the limit of a whole minute could never be served. How the service answers is not known.
            if used and used + asked > most:
                return _MINUTE - into / NANOSECONDS
            self._minutes[model, minute] = used + asked
        return 0.0

    def wait_for_day(self, model: str, most: int, now_ns: int) -> float:
        """Count a request in this day; return the seconds until the next day if it is one too many, else 0."""
        day, into = divmod(now_ns - _MIDNIGHT_PACIFIC * NANOSECONDS, _DAY * NANOSECONDS)
        with self._lock:
            used = self._days.get((model, day), 0)
            if used >= most:
                return _DAY - into / NANOSECONDS
            self._days[model, day] = used + 1
        return 0.0

    def spent(self, now_ns: int) -> int:
        """Return the tokens served in the last ten minutes."""
        with self._lock:
            while self._spent and self._spent[0][0] <= now_ns - _SPEND_SECONDS * NANOSECONDS:
                self._spent.popleft()
            return sum(tokens for _, tokens in self._spent)

    @property
    def billed(self) -> int:
        """The number of all tokens served."""
        return self._billed

    def serve(self, tokens: int, now_ns: int) -> None:
        """Count input and output tokens that were served."""
        with self._lock:
            self._billed += tokens
            self._spent.append((now_ns, tokens))

    def enter(self, model: str, slots: int | None) -> bool:
        """Take a slot; return whether there was one."""
        with self._lock:
            running = self._running.get(model, 0)
            if slots is not None and running >= slots:
                return False
            self._running[model] = running + 1
        return True

    def leave(self, model: str) -> None:
        """Give the slot back."""
        with self._lock:
            self._running[model] -= 1
