"""Types for the fast check of lines; they accept only what is certainly right."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.prompts.backend_fields import accepted_fields
from airflow_provider_genai_batch.wire.prompts.typed import INT32
from airflow_provider_genai_batch.wire.values import snake

WRONG = (ValueError, DecodeError, RecursionError)
"""The errors of a decoder; before msgspec 0.21 its own error is not a ValueError."""
_OTHERS = 2
"""The number of fields that a part must not have beside the one it has."""
_Role = Literal["user", "model"]
_BESIDE = {
    Task.GENERATE: (
        "generationConfig",
        "systemInstruction",
        "safetySettings",
        "tools",
        "toolConfig",
        "labels",
        "cachedContent",
    ),
    Task.EMBED: ("taskType", "title", "outputDimensionality", "embedContentConfig"),
}
"""Fields of a request by their lowerCamel names; each may occur in one spelling."""
_PLAIN = {
    "string": str,
    "int": Annotated[int, Meta(ge=-INT32, lt=INT32)],
    "float": float,
    "bool": bool,
    "[string]": Annotated[list[str], Meta(min_length=1)],
}
"""Kinds of `wire.prompts.messages` for which every value of the type is valid."""
_OF_MEDIA = frozenset({"responseModalities"})
"""Fields that may ask for pictures and sound; they get the full check."""


class _Text(Struct, gc=False, forbid_unknown_fields=True):
    text: str


class _Turn(Struct, gc=False, forbid_unknown_fields=True):
    parts: Annotated[list[_Text], Meta(min_length=1)]
    role: _Role = "user"


class _Instruction(Struct, gc=False, forbid_unknown_fields=True):
    parts: Annotated[list[_Text], Meta(min_length=1)]
    role: str = ""


class _Data(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    mime_type: str
    data: bytes


class _Part(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    text: str | UnsetType = UNSET
    inline_data: _Data | UnsetType = UNSET
    file_data: Any = UNSET


class RequestTypes:
    """The types that read the parts of a request, for one service."""

    def __init__(self, backend: Backend, task: Task) -> None:
        self.prompt = "contents" if task is Task.GENERATE else "content"
        self.beside = tuple(dict.fromkeys(one for name in _BESIDE[task] for one in (name, snake(name))))
        self.turn, self.media = self._several(_Turn), self._several(_media(backend))
        self.typed: list[tuple[str, Any, Any]] = []
        self._empty: Any = None
        if task is Task.GENERATE:
            config = _config(backend)
            self._empty = config()
            self.typed = [
                ("generationConfig", config | UnsetType, UNSET),
                ("systemInstruction", _Instruction | UnsetType, UNSET),
            ]
        self._prompts = [(Decoder(self.turn).decode, False), (Decoder(self.media).decode, True)]

    def _several(self, turn: Any) -> Any:
        return Annotated[list[turn], Meta(min_length=1)] if self.prompt == "contents" else turn

    def is_prompt(self, data: Raw) -> bool:
        """Whether it is a prompt of text and media."""
        for read, media in self._prompts:
            try:
                found = read(data)
            except WRONG:
                continue
            return not media or _is_right(found)
        return False

    def are_right(self, requests: list[Any], *, media: bool) -> bool:
        """Whether each part has exactly one kind of content, and no config is empty."""
        if media and not all(_is_right(getattr(request, self.prompt)) for request in requests):
            return False
        empty = self._empty
        return empty is None or all(
            getattr(request, "generationConfig", None) != empty for request in requests
        )


def _is_right(prompt: Any) -> bool:
    """Whether each part has exactly one kind of content."""
    for turn in prompt if prompt.__class__ is list else (prompt,):
        for part in turn.parts:
            if (part.text is UNSET) + (part.inline_data is UNSET) + (part.file_data is UNSET) != _OTHERS:
                return False
    return True


def _config(backend: Backend) -> Any:
    fields = [
        (name, _PLAIN[kind] | UnsetType, UNSET)
        for name, kind in accepted_fields(backend)["GenerationConfig"].items()
        if kind in _PLAIN and name not in _OF_MEDIA
    ]
    return defstruct("Config", fields, forbid_unknown_fields=True, gc=False)


def _media(backend: Backend) -> Any:
    uri = Annotated[str, Meta(pattern=r"^gs://." if backend is Backend.VERTEX else r"^https://.")]
    file = defstruct("File", [("fileUri", uri), ("mimeType", str)], forbid_unknown_fields=True, gc=False)
    part: Any = defstruct(
        "Part",
        [("file_data", file | UnsetType, UNSET)],
        bases=(_Part,),
        forbid_unknown_fields=True,
        rename="camel",
        gc=False,
    )
    return defstruct(
        "Turn",
        [("parts", Annotated[list[part], Meta(min_length=1)]), ("role", _Role, "user")],
        forbid_unknown_fields=True,
        gc=False,
    )
