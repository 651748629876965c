"""What Airflow's UI shows of a task beside its templates: the prompt and the type of its answers."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.wire.schemas.type_name import type_name

_LONGEST = 4000
"""Characters of each; a prompt may hold a picture."""


def shown(prompt: Any, output_type: Any) -> dict[str, str] | None:
    """Return both as text that is the same in every process; None where there is neither."""
    given = {"prompt": prompt, "output_type": output_type}
    return {name: _text(it)[:_LONGEST] for name, it in given.items() if it is not None} or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else type_name(value)
