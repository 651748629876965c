"""Calls that Google's SDK and this package can spell, built from ``google.genai.types`` or plain data.

This module is imported beside the SDK in its own environment too, so it knows nothing of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Types = Any
"""The module ``google.genai.types``."""


class Case(NamedTuple):
    """One call: what it is for, and its keyword arguments."""

    name: str
    build: Callable[[Types], dict[str, Any]]


def one(contents: Any, settings: Any = None, **more: Any) -> dict[str, Any]:
    """Return the keyword arguments of one request."""
    request = {"contents": contents, **more}
    if settings is not None:
        request["config"] = settings
    return request


def config(name: str, build: Callable[[Types], Any]) -> Case:
    """Return the case of one config with a plain prompt."""
    return Case(name, lambda t: one("hi", build(t)))


CONTENTS = [
    Case("a string", lambda _: one("hi")),
    Case("a string that is not ASCII", lambda _: one("grüße 😀\u2028\x7f")),
    Case("a list of strings is one turn", lambda _: one(["a", "b"])),
    Case("a Content dict", lambda _: one({"role": "user", "parts": [{"text": "hi"}]})),
    Case("a Content without role", lambda _: one([{"parts": [{"text": "hi"}]}])),
    Case("a Content object", lambda t: one(t.Content(role="user", parts=[t.Part(text="hi")]))),
    Case("a UserContent", lambda t: one(t.UserContent("hi"))),
    Case("a Part", lambda t: one(t.Part(text="hi"))),
    Case("a Part dict", lambda _: one({"text": "hi"})),
    Case("strings and Parts in a row", lambda t: one(["look:", t.Part(text="x"), {"text": "y"}])),
    Case(
        "bytes in a Part",
        lambda t: one([t.Part.from_bytes(data=b"\xff\xfe\xfb\x00", mime_type="image/png"), "what is it?"]),
    ),
    Case("bytes in a dict", lambda _: one({"inline_data": {"data": b"\xff\xfe", "mime_type": "image/png"}})),
    Case(
        "turns of a conversation",
        lambda t: one(
            [
                t.UserContent("hi"),
                t.ModelContent("hello"),
                t.Content(role="user", parts=[t.Part(text="again")]),
            ]
        ),
    ),
    Case(
        "loose text before a Content",
        lambda t: one(["first", t.Content(role="model", parts=[t.Part(text="second")]), "third"]),
    ),
    Case("a list in the list is a turn", lambda _: one([["a", "b"], ["c"]])),
    Case(
        "a function call and its response",
        lambda t: one(
            [
                "weather?",
                t.Part.from_function_call(name="get_weather", args={"place_name": "Rome", "a_b": {"c_d": 1}}),
                t.Part.from_function_response(name="get_weather", response={"sky_is": "blue"}),
            ]
        ),
    ),
    Case(
        "a function call as dict",
        lambda _: one([{"function_call": {"name": "f", "args": {"some_arg": [1, 2.5, None, True]}}}]),
    ),
    Case(
        "code and its result",
        lambda t: one(
            t.Content(
                role="model",
                parts=[
                    t.Part.from_executable_code(code="print(1)", language="PYTHON"),
                    t.Part.from_code_execution_result(outcome="OUTCOME_OK", output="1"),
                ],
            )
        ),
    ),
    Case(
        "a part with video metadata",
        lambda t: one(
            t.Part(
                inline_data=t.Blob(data=b"v", mime_type="video/mp4"),
                video_metadata=t.VideoMetadata(fps=2.0, start_offset="1s", end_offset="2.5s"),
            )
        ),
    ),
    Case(
        "thoughts with a signature",
        lambda t: one(
            t.Content(role="model", parts=[t.Part(text="hm", thought=True, thought_signature=b"\xfb\xff")])
        ),
    ),
]
