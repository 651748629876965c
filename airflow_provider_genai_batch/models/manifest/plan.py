"""The plan of a task: how many requests it will submit, and what that may cost. It never contains requests."""

from __future__ import annotations

from pydantic import Field

from airflow_provider_genai_batch.models.base import Line, Noun
from airflow_provider_genai_batch.models.settings.approval import Approved
from airflow_provider_genai_batch.printable import number_of


class PlannedCost(Noun):
    """Costs in USD, according to the price list."""

    least: float
    """The cost of the input only."""
    most: float
    """The cost with the longest possible answers."""
    expected: float | None = None
    """The expected cost; None if no answer shows yet how long answers are."""

    def __str__(self) -> str:
        """Return it as a part of a line."""
        if self.expected is not None:
            return f"{self.expected:.6f} USD ({self.least:.6f} to {self.most:.6f})"
        return (
            f"{self.least:.6f} USD" if self.least == self.most else f"{self.least:.6f} to {self.most:.6f} USD"
        )


class Plan(Noun):
    """What a task will submit."""

    requests: int
    """Requests to submit, without those in `reused` and `same`."""
    jobs: int
    """Jobs with these requests."""
    reused: int | None = None
    """Requests that earlier results answer; None: none are used again."""
    same: int | None = None
    """Requests that are equal to another one, and are not sent; None: as for `reused`."""
    tier: Line = "batch"
    """The tier of the requests."""
    input_tokens: int
    """Tokens of all prompts."""
    output_tokens: int
    """The upper limit for all answers including thoughts: ``maxOutputTokens``, or without it the model's own limit."""
    unbounded: int = 0
    """Requests without ``maxOutputTokens``."""
    unsized: int = 0
    """Number of pictures, files and cached contents whose tokens are not in `input_tokens`."""
    looked_at: int
    """Requests that were read for this; the others are assumed to be similar."""
    counted: int = 0
    """Requests whose tokens the service counted (``countTokens``); 0: bytes of text divided by 4."""
    pilot: int = 0
    """Rows of a pilot that the expected cost is based on; 0: there was no pilot, or not yet."""
    cost: dict[str, PlannedCost] = Field(default_factory=dict)
    """Cost by tier: ``batch``, and ``flex`` and ``standard`` if the model has them. Empty without a price list."""
    source: Line | None = None
    """The price list."""
    approved: Approved | None = None
    """The approval by a person; None: nobody was asked, or nobody has answered yet."""

    @property
    def own_cost(self) -> PlannedCost | None:
        """The cost in the tier of the requests."""
        return self.cost.get(self.tier)

    def __str__(self) -> str:
        """Return it in one line."""
        asked, jobs = number_of(self.requests, "request"), number_of(self.jobs, "job")
        how = f"counted on {self.counted}" if self.counted else f"estimated from the text of {self.looked_at}"
        at_hand = f" ({self.reused or 0} answered before, {self.same or 0} equal to another)"
        parts = [
            f"{asked} in {jobs}{'' if self.reused is None else at_hand}",
            f"input {self.input_tokens} tokens ({how})",
        ]
        if self.output_tokens:
            without = number_of(self.unbounded, "request")
            bound = f" ({without} without maxOutputTokens)" if self.unbounded else ""
            parts.append(f"output up to {self.output_tokens} tokens{bound}")
        if self.unsized:
            parts.append(f"{self.unsized} files and pictures are not counted")
        parts += [f"{tier} {cost}" for tier, cost in self.cost.items()]
        return f"{', '.join(parts)}{f' ({self.source})' if self.source else ''}"


def with_reuse(plan: Plan | None, *, left: int, reused: int, same: int) -> Plan | None:
    """Return a plan with the numbers of reused and equal requests; an empty plan if nothing is left to send."""
    if not left:
        plan = Plan(requests=0, jobs=0, input_tokens=0, output_tokens=0, looked_at=0)
    return None if plan is None else plan.model_copy(update={"reused": reused, "same": same})
