"""What Airflow's UI shows of a task beside its templates: the prompt and the type of its answers."""

from __future__ import annotations

import re
from typing import Any

_LONGEST = 4000
"""Characters of each; a prompt may hold a picture."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Another one in each process: Airflow would make a new version of the DAG at each parse."""
_DAG_FILE = re.compile(r"\bunusual_prefix_[0-9a-f]+_")
"""With it Airflow names the modules of DAG files."""


def shown(prompt: Any, output_type: Any) -> dict[str, str] | None:
    """Return both as text that is the same in every process; None where there is neither."""
    given = {"prompt": prompt, "output_type": output_type}
    return {name: _text(it)[:_LONGEST] for name, it in given.items() if it is not None} or None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    said = f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)
    return _DAG_FILE.sub("", _ADDRESS.sub("", said)).removeprefix("builtins.")
