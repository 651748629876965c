"""The types of columns that are not the same in every Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ColumnTypes:
    """Types of columns that are not the same in every file, as JSON Schema; None: they may be anything."""

    output: Mapping[str, Any] | None = None
    input: Mapping[str, Any] | None = None
