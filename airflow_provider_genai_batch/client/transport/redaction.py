"""Removes credentials from answers that echo them: refusals become errors, which logs and databases keep."""

from __future__ import annotations

import json
from collections.abc import Mapping

_SHORTEST = 8
"""The fewest characters of a value to remove: no key or token is shorter, but ordinary words are."""


def redacted(body: bytes, credentials: Mapping[str, str]) -> bytes:
    """Replace the key or token in the headers of a request by ``***``."""
    given = {name.lower(): value for name, value in credentials.items()}
    token = given.get("authorization", "").rpartition(" ")[2]
    for secret in (given.get("x-goog-api-key", ""), token):
        if len(secret) >= _SHORTEST:
            for spelled in {secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/")}:
                body = body.replace(spelled.encode(), b"***")
    return body
