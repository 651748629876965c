"""Labels that users give to jobs.

Source: Google's pages about labels, and about Vertex AI's ``BatchPredictionJob``: at most 64 labels, keys of 1 to 63
characters and values of up to 63, lowercase letters (of any language), digits, ``_`` and ``-``; keys begin with a
letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError

_LONGEST = 63
_OWN = "genai_batch_"
"""Prefix of the labels by which a job is found again."""
_MOST = 58
"""The most user labels: the others are the six labels by which this package recognizes its jobs."""
_TAKEN = "lowercase letters, digits, _ and -, 63 of them at most"


def check_labels(labels: Any) -> None:
    """Refuse labels that the service would refuse.

    Raises:
        InputError: it names the label.
    """
    if labels is None:
        return
    if not isinstance(labels, Mapping):
        msg = f"labels is of type {type(labels).__name__}: give a dict of strings"
        raise InputError(msg)
    if len(labels) > _MOST:
        msg = f"there are {len(labels)} labels; a job has room for {_MOST} beside those of this package"
        raise InputError(msg)
    for name, value in labels.items():
        if not isinstance(name, str) or not name[:1].isalpha() or not _is_text(name):
            msg = f"label {name!r} has a name that is not valid: {_TAKEN}, and a letter first"
            raise InputError(msg)
        if value is not None and not (isinstance(value, str) and _is_text(value)):
            msg = f"label {name!r} has the value {value!r}, which is not valid: {_TAKEN}"
            raise InputError(msg)


def refuse_own_labels(labels: Mapping[str, Any] | None) -> None:
    """Refuse user labels that this package writes itself. The labels have passed `check_labels`.

    Raises:
        InputError: it names the label.
    """
    if own := next((name for name in labels or () if name.startswith(_OWN)), None):
        msg = f"label {own!r} is one of this package's own, by which it finds its jobs: give it another name"
        raise InputError(msg)


def with_more(labels: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Add optional labels, as many as a job has room for beside the user's."""
    return {**labels, **dict([*more.items()][: max(0, _MOST - len(labels))])}


def _is_text(text: str) -> bool:
    return len(text) <= _LONGEST and all(
        char in "_-" or char.isdigit() or (char.isalpha() and char == char.lower()) for char in text
    )
