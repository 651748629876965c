"""How a job proceeds from its creation to its end."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.emulator.jobs.states import bare


@dataclass(frozen=True)
class Lifecycle:
    """When a job ends: after some looks, after some time, or never.

    Attributes:
        looks: Looks that find the job unfinished. A look is a get, or an appearance in a list page.
        pending: Seconds of the clock before it runs; used with ``running``, instead of ``looks``.
        running: Seconds of the clock for which it runs.
        stuck_in: The state in which it stays until the service's own limit ends it.
        list_counts: Whether an appearance in a list page is a look.
    """

    looks: int | None = None
    pending: float | None = None
    running: float | None = None
    stuck_in: str | None = None
    list_counts: bool = True

    def __post_init__(self) -> None:
        """Refuse a lifecycle that is ambiguous or empty."""
        timed = self.pending is not None or self.running is not None
        if sum((self.looks is not None, timed, self.stuck_in is not None)) != 1:
            message = "a lifecycle is one of: looks, pending and running seconds, stuck"
            raise ValueError(message)
        if min(self.looks or 0, self.pending or 0, self.running or 0) < 0:
            message = "looks and seconds are not negative"
            raise ValueError(message)

    @classmethod
    def at_once(cls) -> Lifecycle:
        """Return a lifecycle that has ended at the first look."""
        return cls(looks=0)

    @classmethod
    def timed(cls, pending: float = 0, running: float = 0) -> Lifecycle:
        """Return a lifecycle that ends after seconds of the clock."""
        return cls(pending=pending, running=running)

    @classmethod
    def stuck(cls, state: str = "PENDING") -> Lifecycle:
        """Return a lifecycle that never ends by itself."""
        return cls(stuck_in=bare(state))

    def to_json(self) -> dict[str, object]:
        """Return the fields that are set."""
        return {name: value for name, value in vars(self).items() if value is not None}
