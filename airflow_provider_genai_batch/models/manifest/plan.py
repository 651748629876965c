"""The plan of a task: what it is about to ask, and what that may cost. Never requests."""

from __future__ import annotations

from pydantic import Field

from airflow_provider_genai_batch.models.base import Line, Noun
from airflow_provider_genai_batch.models.settings.approval import Approved


class PlannedCost(Noun):
    """USD by the price list."""

    least: float
    """The input alone."""
    most: float
    """With the longest possible answers."""
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
    """What a task is about to ask."""

    requests: int
    """To be asked, without those that are in `reused` and `same`."""
    jobs: int
    """That they make."""
    reused: int | None = None
    """Requests that earlier results answer; None: none are used again."""
    same: int | None = None
    """Requests that are equal to another, and are not asked for themselves; None: likewise."""
    tier: Line = "batch"
    """In which they are asked."""
    input_tokens: int
    """Of all prompts."""
    output_tokens: int
    """The upper limit for all answers, thoughts included: by ``maxOutputTokens``, or without it by what models
    can answer."""
    unbounded: int = 0
    """Requests without ``maxOutputTokens``."""
    unsized: int = 0
    """Pictures, files and cached contents whose tokens are not in `input_tokens`."""
    looked_at: int
    """Requests that were read for this; the others are assumed to be similar."""
    counted: int = 0
    """Requests whose tokens the service counted (``countTokens``); 0: bytes of text divided by 4."""
    pilot: int = 0
    """Rows of a pilot that tell what is to be expected; 0: there was none, or not yet."""
    cost: dict[str, PlannedCost] = Field(default_factory=dict)
    """By tier: ``batch``, and ``flex`` and ``standard`` where the model has them. Empty without a price list."""
    source: Line | None = None
    """The price list."""
    approved: Approved | None = None
    """What a person approved of it; None: nobody was asked, or nobody has answered yet."""

    @property
    def own_cost(self) -> PlannedCost | None:
        """The cost in the tier in which they are asked."""
        return self.cost.get(self.tier)

    def __str__(self) -> str:
        """Return it in one line."""
        asked = "1 request" if self.requests == 1 else f"{self.requests} requests"
        jobs = "1 job" if self.jobs == 1 else f"{self.jobs} jobs"
        how = f"counted on {self.counted}" if self.counted else f"estimated from the text of {self.looked_at}"
        at_hand = f" ({self.reused or 0} answered before, {self.same or 0} equal to another)"
        parts = [
            f"{asked} in {jobs}{'' if self.reused is None else at_hand}",
            f"input {self.input_tokens} tokens ({how})",
        ]
        if self.output_tokens:
            bound = f" ({self.unbounded} requests set no maxOutputTokens)" if self.unbounded else ""
            parts.append(f"output up to {self.output_tokens} tokens{bound}")
        if self.unsized:
            parts.append(f"{self.unsized} files and pictures are not counted")
        parts += [f"{tier} {cost}" for tier, cost in self.cost.items()]
        return f"{', '.join(parts)}{f' ({self.source})' if self.source else ''}"
