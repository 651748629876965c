"""Credentials that a service or a proxy sends back: refusals become errors, which people and databases keep."""

from __future__ import annotations

import json
from collections.abc import Mapping

_SHORTEST = 8
"""Of what is looked for, in characters: no key or token is shorter, and a word of a message may be."""


def redacted(body: bytes, credentials: Mapping[str, str]) -> bytes:
    """Put ``***`` in place of the key or token that the headers of a request carried."""
    given = {name.lower(): value for name, value in credentials.items()}
    token = given.get("authorization", "").rpartition(" ")[2]
    for secret in (given.get("x-goog-api-key", ""), token):
        if len(secret) >= _SHORTEST:
            for spelled in {secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/")}:
                body = body.replace(spelled.encode(), b"***")
    return body
