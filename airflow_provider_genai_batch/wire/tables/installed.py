"""Whether Google's client for BigQuery is there: the extra ``bigquery``."""

from __future__ import annotations

import importlib.util


def can_ask() -> bool:
    """Whether it is installed; it is not loaded for that."""
    try:
        return importlib.util.find_spec("google.cloud.bigquery") is not None
    except (ModuleNotFoundError, ValueError):  # no google.cloud at all; or a name that was blocked
        return False
