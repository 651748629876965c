"""Addresses as users give them: a string, a ``pathlib`` path, or a path of Airflow's object storage."""

from __future__ import annotations

import os
import re
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError

_FOLDED = re.compile(r"(bq|gs|s3|abfss?|file):/(?!/)")


def is_path(value: Any) -> bool:
    """Return whether a value is a local path or an ObjectStoragePath, which is recognized by its attributes."""
    return isinstance(value, os.PathLike) or (
        not isinstance(value, type)
        and hasattr(value, "protocol")
        and callable(getattr(value, "as_uri", None))
    )


def address(value: Any) -> Any:
    """Return a path as the text of its address, and any other value unchanged.

    Raises:
        InputError: the value is a ``pathlib.Path`` made from a URI; ``pathlib`` drops one of the URI's slashes.
    """
    if not is_path(value):
        return value
    text = str(value)  # the text of an ObjectStoragePath contains its connection too
    if _FOLDED.match(text):
        msg = (
            f"{value!r} was made of a URI, and pathlib has folded its slashes: give the URI as a string, or an "
            "ObjectStoragePath."
        )
        raise InputError(msg)
    return text
