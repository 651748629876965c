"""What a type is called, the same in every process."""

from __future__ import annotations

import re
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Another one in each process: Airflow would make a new version of the DAG at each parse."""
_DAG_FILE = re.compile(r"\bunusual_prefix_[0-9a-f]+_")
"""With it Airflow names the modules of DAG files."""


def type_name(value: Any) -> str:
    """Return the name of a type with its module, or of another thing what it is as text."""
    said = f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)
    return _DAG_FILE.sub("", _ADDRESS.sub("", said)).removeprefix("builtins.")
