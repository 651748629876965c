"""The name of a type, the same in every process."""

from __future__ import annotations

import re
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Differs in each process, so Airflow would create a new version of the DAG at each parse."""
_DAG_FILE = re.compile(r"\bunusual_prefix_[0-9a-f]+_")
"""Airflow's prefix for the modules of DAG files."""


def type_name(value: Any) -> str:
    """Return the name of a type with its module, or the text of any other object."""
    said = f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)
    return _DAG_FILE.sub("", _ADDRESS.sub("", said)).removeprefix("builtins.")
