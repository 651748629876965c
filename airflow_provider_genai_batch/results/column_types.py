"""The types of the columns that differ between Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ColumnTypes:
    """Types of the columns that differ between files, as JSON Schema; None: any type."""

    output: Mapping[str, Any] | None = None
    input: Mapping[str, Any] | None = None
