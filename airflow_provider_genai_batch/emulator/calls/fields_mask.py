"""The ``fields`` parameter: a partial response.

Google's system parameter: comma separated paths, ``a/b`` or ``a(b,c)`` for nesting, ``*`` for every field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, camel

_TOKEN = re.compile(r"\s*([A-Za-z_@][\w@.\-]*|[*/(),])\s*")

OPERATION = frozenset({"name", "metadata", "done", "error", "response"})
"""Fields of google.longrunning.Operation."""

Tree = dict[str, Any]
"""Selected names, each with the tree below it; an empty tree selects everything below."""


def masked(value: JsonObject, mask: str, known: Iterable[str] = ()) -> JsonObject:
    """Return the selected part of an answer.

    Args:
        value: The whole answer.
        mask: Text of the parameter.
        known: The top-level names of the message; others are refused. Empty: all names are allowed.

    Raises:
        ApiError: 400 for a mask that cannot be parsed or that names an unknown field.
    """
    tree = parse(mask)
    names = set(known)
    for name in tree:
        if names and name != "*" and camel(name) not in names:
            raise _bad(name)
    selected: JsonObject = _select(value, tree)
    return selected


def parse(mask: str) -> Tree:
    """Parse a mask.

    Raises:
        ApiError: 400 if it cannot be parsed.
    """
    tokens: list[str] = []
    place = 0
    while place < len(mask):
        found = _TOKEN.match(mask, place)
        if found is None:
            raise _bad(mask[place:])
        tokens.append(found.group(1))
        place = found.end()
    reader = _Reader(tokens)
    tree = reader.listing()
    if reader.tokens:
        raise _bad(reader.tokens[0])
    return tree


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def listing(self) -> Tree:
        tree: Tree = {}
        self._path(tree)
        while self.tokens[:1] == [","]:
            self.tokens.pop(0)
            self._path(tree)
        return tree

    def _path(self, tree: Tree) -> None:
        if not self.tokens or self.tokens[0] in "/(),":
            raise _bad(self.tokens[0] if self.tokens else "")
        name = self.tokens.pop(0)
        if self.tokens[:1] == ["/"]:
            self.tokens.pop(0)
            below: Tree = {}
            self._path(below)
        elif self.tokens[:1] == ["("]:
            self.tokens.pop(0)
            below = self.listing()
            if self.tokens[:1] != [")"]:
                raise _bad(name)
            self.tokens.pop(0)
        else:
            tree[name] = {}
            return
        if name in tree and not tree[name]:
            return
        tree[name] = _union(tree.get(name, {}), below)


def _union(left: Tree, right: Tree) -> Tree:
    both = dict(left)
    for name, below in right.items():
        if name not in both:
            both[name] = below
        else:
            both[name] = _union(both[name], below) if both[name] and below else {}
    return both


def _select(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_select(one, tree) for one in value]
    if not isinstance(value, dict):
        # A value without fields has none of the selected ones.
        return {}
    wanted = {camel(name): below for name, below in tree.items()}
    result: JsonObject = {}
    for name, inner in value.items():
        below = wanted.get(name, wanted.get("*"))
        if below is None:
            continue
        selected = _select(inner, below)
        # If nothing in a field is selected, the field itself is left out.
        if selected in ({}, []) and inner not in ({}, []):
            continue
        result[name] = selected
    return result


def _bad(what: str) -> ApiError:
    message = f"Request contains an invalid argument. Invalid field selection {what}"
    return ApiError(400, message)
