"""The values that Airflow's UI shows in addition to a task's templates: its prompt and the type of its answers."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.wire.schemas.type_name import type_name

_LONGEST = 4000
"""The most characters of each, because a prompt may contain a picture."""


def shown(prompt: Any, output_type: Any) -> dict[str, str] | None:
    """Return both as text that is the same in every process; None if there is neither."""
    given = {"prompt": prompt, "output_type": output_type}
    return {name: _text(it)[:_LONGEST] for name, it in given.items() if it is not None} or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else type_name(value)
