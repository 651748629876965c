"""Makes two JSON bodies comparable: names in lowerCamel but for the user's own, one base64 alphabet."""

from __future__ import annotations

import re
from typing import Any

_USERS_OWN = {
    "args",
    "labels",
    "metadata",
    "userMetadata",
    "responseJsonSchema",
    "parametersJsonSchema",
    "default",
}
_BYTES = {"data", "thoughtSignature"}
_UNIQUE = re.compile(r"\d{14}_[0-9a-f]{5}")


def normal(value: Any, holder: str = "") -> Any:
    """Return the comparable form of the value of field `holder`."""
    if isinstance(value, dict):
        if holder in _USERS_OWN:
            return value
        if holder == "properties":
            return {name: normal(inner) for name, inner in value.items()}
        return {_camel(name): _field(holder, _camel(name), inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [normal(item, holder) for item in value]
    if not isinstance(value, str):
        return value
    return value.replace("-", "+").replace("_", "/") if holder in _BYTES else _UNIQUE.sub("<unique>", value)


def _field(holder: str, name: str, value: Any) -> Any:
    return value if (holder, name) == ("functionResponse", "response") else normal(value, name)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others) if first else name
