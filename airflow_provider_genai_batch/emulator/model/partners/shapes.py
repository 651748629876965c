"""Checks for plain JSON bodies, which refuse unknown members. A check returns the first problem, or None.

The bodies of partner and open models are not protos: names have one spelling, numbers are not text, and null is only
valid if a check allows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import Json

Check: TypeAlias = Callable[[Json, str], "str | None"]
"""Takes a value and its path, such as ``messages.0.content``; returns the problem with its path."""


def members(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check for an object with these members and no others."""
    known = {**required, **(optional or {})}

    def test(value: Json, path: str) -> str | None:
        if type(value) is not dict:
            return said(path, "Input should be a valid dictionary")
        for name in required:
            if name not in value:
                return said(_below(path, name), "Field required")
        for name, inner in value.items():
            check = known.get(name)
            if check is None:
                return said(_below(path, name), "Extra inputs are not permitted")
            if wrong := check(inner, _below(path, name)):
                return wrong
        return None

    return test


def tagged(kinds: Mapping[str, Check], tag: str = "type") -> Check:
    """Return a check for an object that has one of several kinds, which one of its members names."""

    def test(value: Json, path: str) -> str | None:
        if type(value) is not dict:
            return said(path, "Input should be a valid dictionary")
        kind = value.get(tag)
        check = kinds.get(kind) if isinstance(kind, str) else None
        if check is None:
            expected = ", ".join(f"'{one}'" for one in kinds)
            found = (
                f"Input tag '{kind}' found using '{tag}' does not match any of the expected tags: {expected}"
            )
            return said(
                path, found if kind is not None else f"Unable to extract tag using discriminator '{tag}'"
            )
        return check(value, path)

    return test


def items(element: Check, *, least: int = 0) -> Check:
    """Return a check for a list."""

    def test(value: Json, path: str) -> str | None:
        if type(value) is not list:
            return said(path, "Input should be a valid list")
        if len(value) < least:
            return said(path, f"List should have at least {least} item after validation, not {len(value)}")
        for place, one in enumerate(value):
            if wrong := element(one, _below(path, str(place))):
                return wrong
        return None

    return test


def either(*checks: Check) -> Check:
    """Return a check that accepts what one of several checks accepts; a problem is that of the last one."""

    def test(value: Json, path: str) -> str | None:
        wrong = None
        for check in checks:
            wrong = check(value, path)
            if wrong is None:
                return None
        return wrong

    return test


def text(pattern: str = "", *, least: int = 0) -> Check:
    """Return a check for text."""
    compiled = re.compile(pattern) if pattern else None

    def test(value: Json, path: str) -> str | None:
        if type(value) is not str:
            return said(path, "Input should be a valid string")
        if len(value) < least:
            return said(path, f"String should have at least {least} character")
        if compiled and not compiled.fullmatch(value):
            return said(path, f"String should match pattern '^{pattern}$'")
        return None

    return test


def words(*allowed: str) -> Check:
    """Return a check for one of several words."""

    def test(value: Json, path: str) -> str | None:
        if type(value) is str and value in allowed:
            return None
        return said(path, f"Input should be {' or '.join(repr(one) for one in allowed)}")

    return test


def whole(least: int | None = None) -> Check:
    """Return a check for a whole number."""

    def test(value: Json, path: str) -> str | None:
        if type(value) is not int:
            return said(path, "Input should be a valid integer")
        if least is not None and value < least:
            return said(path, f"Input should be greater than or equal to {least}")
        return None

    return test


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """Return a check for a number in a range."""

    def test(value: Json, path: str) -> str | None:
        if type(value) not in {int, float}:
            return said(path, "Input should be a valid number")
        return None if least <= value <= most else said(path, f"range: {least:g}..{most:g}")

    return test


def flag(value: Json, path: str) -> str | None:
    """Check a boolean."""
    return None if type(value) is bool else said(path, "Input should be a valid boolean")


def anything(_value: Json, _path: str) -> str | None:
    """Accept any value."""
    return None


def free(value: Json, path: str) -> str | None:
    """Check an object, but not its members."""
    return None if type(value) is dict else said(path, "Input should be a valid dictionary")


def null(value: Json, path: str) -> str | None:
    """Check for null."""
    return None if value is None else said(path, "Input should be null")


def refused(why: str) -> Check:
    """Return a check that refuses every value."""
    return lambda _value, path: said(path, why)


def said(path: str, what: str) -> str:
    """Return a problem with its path."""
    return f"{path}: {what}" if path else what


def _below(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
