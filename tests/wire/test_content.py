from __future__ import annotations

import base64
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.content import contents

A, B = {"text": "a"}, {"text": "b"}
CALL = {"functionCall": {"name": "f", "args": {"x_y": 1}}}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"parts": list(parts), "role": "user"}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"parts": list(parts), "role": "model"}


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("a", [user(A)]),
        (["a", "b"], [user(A, B)]),
        (("a", "b"), [user(A, B)]),
        ([["a"], ["b"]], [user(A), user(B)]),
        (["a", {"role": "model", "parts": ["b"]}, "a"], [user(A), model(B), user(A)]),
        (["a", {"function_call": {"name": "f", "args": {"x_y": 1}}}, "b"], [user(A), model(CALL), user(B)]),
        ({"parts": {"text": "a"}}, [{"parts": [A]}]),
        (
            {"file_uri": "https://h.example/f", "mime_type": "text/plain"},
            [user({"fileData": {"fileUri": "https://h.example/f", "mimeType": "text/plain"}})],
        ),
    ],
)
def test_prompts_become_turns(value: Any, spelled: list[dict[str, Any]]) -> None:
    assert contents(value, Backend.GEMINI) == spelled


def test_base64_text_of_the_rest_spelling_stays() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(b"png").decode()}}
    assert contents([part], Backend.GEMINI) == [user(part)]


def test_a_picture_becomes_png_bytes() -> None:
    class Image:
        format = None

        def save(self, buffer: Any, kind: str) -> None:
            buffer.write(kind.encode())

    assert contents([Image()], Backend.GEMINI) == [
        user({"inlineData": {"data": base64.b64encode(b"PNG").decode(), "mimeType": "image/png"}})
    ]


@pytest.mark.parametrize(
    ("value", "backend", "said"),
    [
        ([], Backend.GEMINI, "contents is an empty list"),
        ([[]], Backend.GEMINI, "a prompt without parts"),
        (5, Backend.GEMINI, "a prompt cannot be of type int"),
        ([{"txt_x": "a"}], Backend.GEMINI, "unknown field 'txt_x' in a part"),
        ({"parts": ["a"], "rôle": "x"}, Backend.GEMINI, "unknown field 'rôle' in a Content"),
        ([{"uri": "https://h.example/f"}], Backend.GEMINI, "a file without mime_type"),
        (
            [{"file_data": {"file_uri": "gs://b/o"}}],
            Backend.GEMINI,
            "the Gemini Developer API cannot read gs://b/o",
        ),
        (
            [{"fileData": {"fileUri": "GS://b/o"}}],
            Backend.GEMINI,
            "the Gemini Developer API cannot read GS://b/o",
        ),
        ([{"fileData": {"fileUri": "files/abc"}}], Backend.VERTEX, "Vertex AI cannot read files/abc"),
        *(
            ([{"fileData": {"fileUri": uri}}], backend, f"cannot read {said}")
            for backend in Backend
            for uri, said in (
                ("s3://bucket/a.png", "a file by 's3:'"),
                ("data:image/png;base64,AAAA", "a file by 'data:'"),
                ("file:///a.png", "a file by 'file:'"),
                ("/home/me/a.png", "a path"),
                ("a.png", "a path"),
                ("", "an empty address"),
            )
        ),
        (
            [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}}],
            Backend.VERTEX,
            "a file of the Gemini Files API",
        ),
        ([{"tool_call": {"id": "1"}}], Backend.VERTEX, "parts.toolCall exists only on the Gemini"),
        ([{"role": "assistant", "parts": [{"text": "a"}]}], Backend.GEMINI, "unknown role 'assistant'"),
        ({"role": "system", "parts": ["a"]}, Backend.VERTEX, "unknown role 'system'"),
        (["a\ud800"], Backend.GEMINI, "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_remedy(value: Any, backend: Backend, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        contents(value, backend)
    assert caught.value.remedy
