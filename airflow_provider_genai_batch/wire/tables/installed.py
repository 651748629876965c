"""Finds out whether Google's BigQuery client is installed: the extra ``bigquery``."""

from __future__ import annotations

import importlib.util


def can_ask() -> bool:
    """Whether it is installed; this does not import it."""
    try:
        return importlib.util.find_spec("google.cloud.bigquery") is not None
    except (ModuleNotFoundError, ValueError):  # there is no google.cloud, or the name is blocked
        return False
