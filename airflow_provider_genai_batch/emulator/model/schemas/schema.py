"""JSON that fits a response schema, in Google's dialect (``STRING``) and in JSON Schema's (``string``)."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.schemas.rules import NAMES

_DEEPEST = 6
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "juniper")
_FORMATS = {
    "date-time": "2026-09-{d:02d}T10:{m:02d}:00Z",
    "date": "2026-09-{d:02d}",
    "time": "10:{m:02d}:00Z",
    "duration": "PT{m}M",
    "email": "reader{m}@example.com",
    "uri": "https://example.com/{m}",
    "url": "https://example.com/{m}",
    "hostname": "host{m}.example.com",
    "ipv4": "192.0.2.{m}",
    "uuid": "00000000-0000-4000-8000-0000000000{m:02d}",
    "byte": "AAAA",
    "binary": "AAAA",
}
_ANYTHING_LARGE = 100
_LARGEST = 10_000


def fitting(schema: Any, seed: str) -> Any:
    """Return a value that fits the schema; equal seeds give equal values."""
    root = schema if isinstance(schema, dict) else {}
    # The answer need not be secret, but must be the same every time.
    return _Writer(root, random.Random(seed)).value(root, 0)  # noqa: S311 - see above


def said_or_fitting(said: Any, schema: Any, seed: str) -> str | None:
    """Return a given answer, or one that fits a schema, as text; None: the model answers freely.

    Args:
        said: Text or JSON from a script or a test's function; None: there is none.
        schema: The schema that JSON must fit; None: the answer need not be JSON.
        seed: Determines the JSON.
    """
    if isinstance(said, str):
        return said
    if said is None and schema is None:
        return None
    return json.dumps(fitting(schema, seed) if said is None else said, ensure_ascii=False)


class _Writer:
    """Writes one document."""

    def __init__(self, root: JsonObject, chance: random.Random) -> None:
        self._root = root
        self._chance = chance

    def value(self, schema: Any, depth: int) -> Any:  # noqa: PLR0911 - one return for each keyword reads best
        """Return a value for one part of the schema."""
        if not isinstance(schema, dict):
            return {} if schema is False else "anything"
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._chance.choice(schema["enum"])
        for key in ("anyOf", "any_of", "oneOf", "one_of"):
            if schema.get(key):
                return self._one_of(schema, schema[key], depth)
        kind = _kind(schema)
        if kind == "null" or (schema.get("nullable") and depth >= _DEEPEST):
            return None
        writer = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._number,
            "number": self._number,
        }.get(kind)
        if kind == "boolean":
            return self._chance.random() < 0.5
        return writer(schema, depth) if writer else "anything"

    def _resolved(self, schema: JsonObject) -> JsonObject:
        """Follow ``$ref`` and merge ``allOf``."""
        seen = 0
        while isinstance(schema.get("$ref") or schema.get("ref"), str) and seen < _DEEPEST:
            seen += 1
            target: Any = self._root
            for step in (schema.get("$ref") or schema["ref"]).lstrip("#/").split("/"):
                target = target.get(step, {}) if isinstance(target, dict) else {}
            rest = {key: value for key, value in schema.items() if key not in {"$ref", "ref"}}
            schema = {**target, **rest}
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema.get("allOf") or ():
            merged = _merged(merged, self._resolved(part) if isinstance(part, dict) else {})
        return merged

    def _one_of(self, schema: JsonObject, options: list[Any], depth: int) -> Any:
        rest = {
            key: value for key, value in schema.items() if key not in {"anyOf", "any_of", "oneOf", "one_of"}
        }
        if depth >= _DEEPEST:
            simple = [
                one for one in options if isinstance(one, dict) and _kind(one) not in {"object", "array"}
            ]
            options = simple or options
        chosen = self._chance.choice(options)
        return self.value(
            _merged(rest, self._resolved(chosen)) if isinstance(chosen, dict) else chosen, depth
        )

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties: JsonObject = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        order = [name for name in field(schema, "propertyOrdering") or () if name in properties]
        order += [name for name in properties if name not in order]
        order += [name for name in schema.get("required") or () if name not in properties]
        at_most = _whole(schema, "maxProperties")
        result: JsonObject = {}
        for name in order:
            if name not in required and (
                depth >= _DEEPEST or (at_most is not None and len(required) + len(result) >= at_most)
            ):
                continue
            result[name] = self.value(properties.get(name, {}), depth + 1)
        extra = schema.get("additionalProperties")
        while len(result) < (_whole(schema, "minProperties") or 0):
            result[f"extra_{len(result)}"] = self.value(extra if isinstance(extra, dict) else {}, depth + 1)
        return result

    def _array(self, schema: JsonObject, depth: int) -> list[Any]:
        first = [self.value(one, depth + 1) for one in schema.get("prefixItems") or ()]
        least = max(_whole(schema, "minItems") or 0, len(first))
        most = _whole(schema, "maxItems")
        items = schema.get("items")
        wanted = least if depth >= _DEEPEST or items is False else max(least, self._chance.randint(1, 3))
        wanted = wanted if most is None else min(wanted, most)
        result = first[:wanted]
        unique = bool(schema.get("uniqueItems"))
        tries = 0
        while len(result) < wanted:
            tries += 1
            one = self.value(items if items is not None else {}, depth + 1)
            if unique and one in result:
                if tries > 50 * wanted:
                    break
                continue
            result.append(one)
        return result

    def _string(self, schema: JsonObject, depth: int) -> str:  # noqa: ARG002 - one signature for all writers
        pattern = _FORMATS.get(str(schema.get("format", "")).lower())
        if pattern:
            return pattern.format(d=self._chance.randint(1, 28), m=self._chance.randint(10, 59))
        text = self._chance.choice(_WORDS)
        least, most = _whole(schema, "minLength") or 0, _whole(schema, "maxLength")
        while len(text) < least:
            text += " " + self._chance.choice(_WORDS)
        return text if most is None else text[: max(most, least)]

    def _number(self, schema: JsonObject, depth: int) -> float:  # noqa: ARG002 - one signature for all writers
        low, high = _bounds(schema)
        if _kind(schema) == "integer":
            step = int(schema.get("multipleOf") or 1)
            return step * self._chance.randint(
                math.ceil(low / step), max(math.ceil(low / step), math.floor(high / step))
            )
        if schema.get("multipleOf"):
            step_size = float(schema["multipleOf"])
            return step_size * self._chance.randint(math.ceil(low / step_size), math.floor(high / step_size))
        return min(high, max(low, round(self._chance.uniform(low, high), 4)))


def _kind(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if str(one).lower() != "null"), "null")
    if type(kind) is int and 0 <= kind < len(NAMES):
        kind = NAMES[kind]
    if isinstance(kind, str) and kind.upper() != "TYPE_UNSPECIFIED":
        return kind.lower()
    if schema.get("properties") is not None or schema.get("required"):
        return "object"
    return "array" if schema.get("items") is not None else "any"


def _merged(left: JsonObject, right: JsonObject) -> JsonObject:
    both = {**left, **right}
    if "properties" in left and "properties" in right:
        both["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        both["required"] = [*left["required"], *right["required"]]
    return both


def _whole(schema: JsonObject, name: str) -> int | None:
    """Read a whole number, which Google's dialect may write as an int64 string."""
    value = field(schema, name)
    if value is None:
        return None
    if abs(int(value)) > _LARGEST and name.startswith("min"):
        # Source: a public report about both services; their exact limit is not known.
        raise RowError(3, "The specified schema produces a constraint that has too many states for serving.")
    return int(value)


def _bounds(schema: JsonObject) -> tuple[float, float]:
    whole = _kind(schema) == "integer"
    edge = 1 if whole else 1e-3
    low, high = schema.get("minimum"), schema.get("maximum")
    if field(schema, "exclusiveMinimum") is not None:
        low = max(low if low is not None else -math.inf, field(schema, "exclusiveMinimum") + edge)
    if field(schema, "exclusiveMaximum") is not None:
        high = min(high if high is not None else math.inf, field(schema, "exclusiveMaximum") - edge)
    if low is None:
        low = 0 if high is None or high >= 0 else high - _ANYTHING_LARGE
    if high is None:
        high = low + _ANYTHING_LARGE
    return low, max(low, high)
