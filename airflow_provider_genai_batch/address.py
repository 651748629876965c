"""Addresses as users hold them: text, or a path of Python's or of Airflow's object storage."""

from __future__ import annotations

import os
import re
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError

_FOLDED = re.compile(r"(bq|gs|s3|abfss?|file):/(?!/)")


def is_path(value: Any) -> bool:
    """Whether it is a path: of the machine, or an ObjectStoragePath, which is known by its manners."""
    return isinstance(value, os.PathLike) or (
        not isinstance(value, type)
        and hasattr(value, "protocol")
        and callable(getattr(value, "as_uri", None))
    )


def address(value: Any) -> Any:
    """Return a path as the text of its address, and whatever else as it is.

    Raises:
        InputError: a ``pathlib.Path`` was made of a URI, which loses a slash of it.
    """
    if not is_path(value):
        return value
    text = str(value)  # an ObjectStoragePath's tells its connection too
    if _FOLDED.match(text):
        msg = (
            f"{value!r} was made of a URI, and pathlib has folded its slashes: give the URI as a string, or an "
            "ObjectStoragePath."
        )
        raise InputError(msg)
    return text
