"""Runs beside Google's SDK: says which messages there are, and which of many damaged requests the SDK refuses.

Writes one JSON object to the file named on the command line: ``{"version": …, "messages": {message: {field: kind}},
"verdicts": [{"name", "right", "wrong", "gemini", "vertex"}]}``; a verdict is null where the SDK sends the wrong one,
and says so where it sends not even the right one. With ``messages`` behind the file there are no verdicts. What is
damaged is made from the SDK's own types: for every field of every message a value of each other kind, a name that is
not there, and a name with a letter too few.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import sys
import types as python_types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google.genai
from google.genai import types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

try:
    import httpx2 as httpx
except ImportError:  # the SDK's older releases
    import httpx

ROOTS = (
    types.GenerateContentConfig,
    types.GenerationConfig,
    types.Content,
    types.Tool,
    types.EmbedContentConfig,
)
NOT_SENT = frozenset(
    {"HttpOptions", "HttpRetryOptions", "AutomaticFunctionCallingConfig", "File", "FileStatus"}
)
"""Messages about the SDK's own calls, and files, which become fileData."""
NEITHER = "not for this service"
LEAVES: dict[Any, str] = {
    str: "string",
    bytes: "bytes",
    bool: "bool",
    int: "int",
    float: "float",
    dt.datetime: "time",
    typing.Any: "any",
    dict: "{any}",
    list: "[any]",
}
GOOD: dict[str, Any] = {
    "string": "x",
    "bytes": "eA==",
    "bool": True,
    "int": 1,
    "float": 0.5,
    "time": "2026-01-01T00:00:00Z",
    "enum": "BALANCED",
    "any": {"a": 1},
}
BAD: dict[str, list[Any]] = {
    "string": [5, ["x"], {"a": 1}, True],
    "bytes": ["a!", 5, ["x"]],
    "bool": ["perhaps", 2, ["x"], {"a": 1}],
    "int": [1.5, "hot", [1], {"a": 1}],
    "float": ["hot", [0.5], {"a": 1}],
    "time": ["soon", [1], {"a": 1}],
    "enum": [5, ["x"], {"a": 1}],
    "any": [],
}


def kind_of(annotation: Any) -> str:
    """Name the kind of a field's values; several are joined by ``|``."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_of(inner[0])
    if origin in (typing.Union, python_types.UnionType):
        return "|".join(dict.fromkeys(kind_of(one) for one in inner if one is not type(None)))
    if origin is list:
        return f"[{kind_of(inner[0])}]"
    if origin is dict:
        return f"{{{kind_of(inner[1])}}}"
    if origin is typing.Literal or (isinstance(annotation, type) and issubclass(annotation, enum.Enum)):
        return "enum"
    return LEAVES.get(annotation) or (annotation.__name__ if isinstance(annotation, type) else "type")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the messages in an annotation."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, BaseModel) and annotation.__name__ not in NOT_SENT:
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def messages() -> dict[str, dict[str, str]]:
    """Return all messages by name, their fields and kinds."""
    found: dict[str, dict[str, str]] = {}
    todo = list(ROOTS)
    while todo:
        model = todo.pop()
        if model.__name__ in found:
            continue
        found[model.__name__] = {
            field.alias or to_camel(name): kind_of(field.annotation)
            for name, field in model.model_fields.items()
        }
        for field in model.model_fields.values():
            todo += models_in(field.annotation)
    return found


def samples(table: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Give the shortest way of fields to each message: from ``config`` or from one part of ``contents``."""
    ways: dict[str, list[str]] = {"GenerateContentConfig": ["config"], "Content": ["contents"]}
    todo = list(ways)
    while todo:
        name = todo.pop(0)
        fields = dict(table[name])
        if name == "GenerateContentConfig":
            fields |= {"tools": "[Tool]", "systemInstruction": "string", "responseSchema": "any"}
        for field, kind in fields.items():
            for one in kind.replace("[", "").replace("]", "").replace("{", "").replace("}", "").split("|"):
                if one in table and one not in ways:
                    ways[one] = [
                        *ways[name],
                        f"[{field}" if "[" in kind else f"{{{field}" if "{" in kind else field,
                    ]
                    todo.append(one)
    return ways


def placed(way: list[str], message: Any) -> dict[str, Any]:
    """Return a request with a message at the end of a way."""
    value = message
    for step in reversed(way[1:]):
        name = step.lstrip("[{")
        value = {name: [value] if step[0] == "[" else {"a": value} if step[0] == "{" else value}
    if way[0] == "contents":
        return {"contents": [value]}
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "config": value}


def good(kind: str, table: dict[str, dict[str, str]]) -> Any:
    """Return a value of a kind."""
    if kind in GOOD:
        return GOOD[kind]
    if kind[0] in "[{":
        inner = good(kind[1:-1], table)
        return [inner] if kind[0] == "[" else {"a": inner}
    return {}


def bad(kind: str) -> list[Any]:
    """Return values of other kinds."""
    if kind in BAD:
        return BAD[kind]
    if kind[0] == "[":
        return ["x", 5, {"a": 1}, *([one] for one in bad(kind[1:-1]))]
    if kind[0] == "{":
        return ["x", 5, [1], *({"a": one} for one in bad(kind[1:-1]))]
    return ["x", 5, [1]]


def damaged(table: dict[str, dict[str, str]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give names, requests that are right, and the same damaged."""
    for name, way in sorted(samples(table).items()):
        base = {"parts": [{"text": "hi"}]} if name == "Content" else {"text": "hi"} if name == "Part" else {}
        yield f"{name}: a name that is not there", placed(way, base), placed(way, {**base, "nonesuch": 1})
        for field, kind in sorted(table[name].items()):
            if "|" in kind or kind in NOT_SENT or kind in ("type", "[any]"):
                continue
            right = {**base, field: good(kind, table)}
            if name == "Part" and field != "text":
                right.pop("text", None)
            whole = placed(way, right)
            short = {**right, field[:-2] + field[-1]: right[field]}
            del short[field]
            yield f"{name}.{field}: a letter too few", whole, placed(way, short)
            for number, value in enumerate(bad(kind)):
                yield f"{name}.{field}: another kind {number}", whole, placed(way, {**right, field: value})


def main(target: Path, *, with_verdicts: bool) -> None:
    """Ask the SDK about each and write what it said."""
    warnings.simplefilter("ignore")
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    options = types.HttpOptions(base_url="http://sdk.test", httpx_client=httpx.Client(transport=answer))
    gemini = google.genai.Client(api_key="k", http_options=options)
    vertex = google.genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(token="t"),
        http_options=options,
    )

    def verdict(service: str, item: dict[str, Any]) -> str | None:
        try:
            if service == "gemini":
                gemini.batches.create(model="gemini-2.5-flash", src=[item])
            else:
                vertex.models.generate_content(model="gemini-2.5-flash", **item)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is its answer
            return f"{type(error).__name__}: {error}"[:200]
        return None

    table = messages()
    verdicts = []
    for name, right, wrong in damaged(table) if with_verdicts else ():
        found = {
            service: verdict(service, wrong) if verdict(service, right) is None else NEITHER
            for service in ("gemini", "vertex")
        }
        verdicts.append({"name": name, "right": right, "wrong": wrong, **found})
    target.write_text(
        json.dumps({"version": google.genai.__version__, "messages": table, "verdicts": verdicts})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), with_verdicts="messages" not in sys.argv)
