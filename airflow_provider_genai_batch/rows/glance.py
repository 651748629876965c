"""The quick look: most lines are right as they are, and a strict typed read is enough to know it.

It takes only what is certainly right. Contents of text and media are read by their types. What stands beside them is
the same in most lines of a file: where a closer look found it good, it is known by its bytes from then on. What the
quick look does not know goes to `wire.requests`, which says what is wrong with it, if anything is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS, spell_key

_MOST, _LONGEST = 256, 64 * 1024
"""What is known by its bytes: how many, and how long each. A file with others in every line gains nothing by it."""
_Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]
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
    Task.EMBED: ("taskType", "title", "outputDimensionality", "embedContentConfig", "embed_content_config"),
}
"""Of a request; in lowerCamel alone, so that a field in both spellings is not taken for right."""


class _Text(Struct, gc=False, forbid_unknown_fields=True):
    text: str


class _Turn(Struct, gc=False, forbid_unknown_fields=True):
    parts: Annotated[list[_Text], Meta(min_length=1)]
    role: _Role = "user"


class _Data(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    mime_type: str
    data: bytes


class _Part(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    text: str | UnsetType = UNSET
    inline_data: _Data | UnsetType = UNSET
    file_data: Any = UNSET

    @property
    def is_one(self) -> bool:
        return [self.text, self.inline_data, self.file_data].count(UNSET) == 2


class Glance:
    """Looks at lines ``{"key": …, "request": {…}}`` of one file.

    Args:
        backend: where it goes.
        task: generate or embed.
        keyless: whether its lines have no keys; none of them is known by a look then.
    """

    def __init__(self, backend: Backend, task: Task, *, keyless: bool = False) -> None:
        self._prompt = "contents" if task is Task.GENERATE else "content"
        self._marks = backend is Backend.VERTEX
        self._names = _BESIDE[task]
        self._known: set[tuple[str, bytes]] = set()
        uri = Annotated[str, Meta(pattern=r"^gs://." if self._marks else r"^https://.")]
        media = _media(uri)
        beside = [(name, Raw | UnsetType, UNSET) for name in self._names]
        plain = _line(self._prompt, _Turn, [])
        self._readers = (
            []
            if keyless
            else [
                (Decoder(plain).decode, False, False),
                (Decoder(_line(self._prompt, _Turn, beside)).decode, True, False),
                (Decoder(_line(self._prompt, media, beside)).decode, True, True),
            ]
        )

    def __call__(self, line: bytes) -> str | None:
        """Return the key of a line that is certainly right, None for one to be looked at."""
        for number, (read, more, media) in enumerate(self._readers):
            try:
                found = read(line)
            except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is no ValueError
                continue
            key: str = found.key
            if (more and not self._knows(found.request)) or (media and not self._is_whole(found.request)):
                return None
            if number:  # the next line is probably like this one
                self._readers.insert(0, self._readers.pop(number))
            return None if self._marks and spell_key(key) != key else key
        return None

    def remember(self, line: bytes) -> None:
        """Know from now on what stands beside the prompt of a line that was found right as it is."""
        for read, more, _ in self._readers:
            if not more:
                continue
            try:
                request = read(line).request
            except (ValueError, DecodeError, RecursionError):
                continue
            for name in self._names:
                raw = getattr(request, name)
                if raw is not UNSET and len(self._known) < _MOST and len(raw := bytes(raw)) <= _LONGEST:
                    self._known.add((name, raw))
            return

    def _knows(self, request: Any) -> bool:
        for name in self._names:
            raw = getattr(request, name)
            if raw is not UNSET and (name, bytes(raw)) not in self._known:
                return False
        return True

    def _is_whole(self, request: Any) -> bool:
        prompt = getattr(request, self._prompt)
        return all(
            part.is_one for turn in (prompt if isinstance(prompt, list) else [prompt]) for part in turn.parts
        )


def always_look(line: bytes) -> None:
    """Call for a closer look at every line."""


def _line(prompt: str, turn: Any, beside: list[tuple[str, Any, Any]]) -> Any:
    kind = Annotated[list[turn], Meta(min_length=1)] if prompt == "contents" else turn
    request = defstruct("Request", [(prompt, kind), *beside], forbid_unknown_fields=True, gc=False)
    return defstruct("Line", [("key", _Key), ("request", request)], forbid_unknown_fields=True, gc=False)


def _media(uri: Any) -> Any:
    file = defstruct("File", [("fileUri", uri), ("mimeType", str)], forbid_unknown_fields=True, gc=False)
    part: Any = defstruct(
        "Part",
        [("file_data", file | UnsetType, UNSET)],
        bases=(_Part,),
        forbid_unknown_fields=True,
        rename="camel",
    )
    return defstruct(
        "Turn",
        [("parts", Annotated[list[part], Meta(min_length=1)]), ("role", _Role, "user")],
        forbid_unknown_fields=True,
        gc=False,
    )
