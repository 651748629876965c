"""Reads JSON with errors as far as possible, because an answer that was paid for must not be lost."""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPE = re.compile(
    rb"\\(?:"
    rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves of a pair
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # one alone
    rb"|.)",
    re.DOTALL,
)
_UNKNOWN = rb"\ufffd"


def loads(data: bytes, *, errors: str = "replace") -> Any:
    """Read JSON with half surrogate pairs, bytes that are not UTF-8, bare control characters, or endless integers.

    An invalid character becomes U+FFFD. An integer that is too long for Python becomes a float (usually infinity).

    Args:
        data: the JSON.
        errors: ``strict`` refuses bytes that are not UTF-8.

    Raises:
        ValueError: it is not JSON even so.
        RecursionError: it is nested too deeply.
    """
    text = _ESCAPE.sub(_mended, data).decode(errors=errors)
    return json.loads(text, parse_int=_integer, strict=False)


def _mended(escape: re.Match[bytes]) -> bytes:
    return _UNKNOWN if escape[1] else escape[0]


def _integer(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:  # Python's limit on the length of an integer's text
        return float(digits)
