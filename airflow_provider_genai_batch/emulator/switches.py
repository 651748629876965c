"""Choices about the services as a whole, for which documents say nothing, disagree, or only name a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Switches:
    """Choices that are valid until they are changed.

    Attributes:
        claude_jobs: Claude jobs that may run in a project at a time (Google's page on Claude: 4). The next one is
            refused with 429; no page documents that status. None: any number.
        speech: Whether speech models accept batches. They have a price and a quota for batches (2026), but create
            calls were answered with 404 (2025-12).
        card_regions: Whether Claude is only available where its model cards and its vendor's page say: not in
            us-central1, and models newer than 4.6 only in `us` and `eu`. Google's page on batch does not say so.
        partner_features: Whether the organisation allows structured outputs, strict tools and web search of
            partner models, which it does not by default.
    """

    claude_jobs: int | None = 4
    speech: bool = True
    card_regions: bool = False
    partner_features: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return every switch."""
        return asdict(self)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with some switches changed.

        Raises:
            ValueError: There is no such switch, or a value has another type.
        """
        known = {one.name for one in fields(self)}
        if unknown := set(values) - known:
            message = f"there is no switch {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            raise ValueError(message)
        for name, value in values.items():
            number = name == "claude_jobs"
            if not (value is None or (type(value) is int and value >= 0) if number else type(value) is bool):
                message = f"{name} is not {value!r}"
                raise ValueError(message)
        return replace(self, **values)
