"""The quick look: most lines are right as they are, and a strict typed read is enough to know it.

It takes only what is certainly right. Contents of text and media are read by their types. What stands beside them is
the same in most lines of a file: where a closer look found it good, it is known by its bytes from then on. What the
quick look does not know goes to `wire.requests`, which says what is wrong with it, if anything is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

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
    """

    def __init__(self, backend: Backend, task: Task) -> None:
        self._prompt = "contents" if task is Task.GENERATE else "content"
        self._marks = backend is Backend.VERTEX
        self._names = _BESIDE[task]
        self._known: set[tuple[str, bytes]] = set()
        uri = Annotated[str, Meta(pattern=r"^gs://." if self._marks else r"^https://.")]
        beside = [(name, Raw | UnsetType, UNSET) for name in self._names]
        self._texts = Decoder(_line(self._prompt, _Turn, [])).decode
        self._readers = [
            (Decoder(_line(self._prompt, _Turn, beside)).decode, False),
            (Decoder(_line(self._prompt, _media(uri), beside)).decode, True),
        ]
        self._plain = True  # whether no line with more than texts was found right so far

    def __call__(self, line: bytes) -> str | None:
        """Return the key of a line that is certainly right, None for one to be looked at."""
        if not self._plain:
            return self._more(line)
        try:
            key: str = self._texts(line).key
        except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is no ValueError
            return self._more(line)
        return None if self._marks and spell_key(key) != key else key

    def _more(self, line: bytes) -> str | None:
        """Look at one that may have more than texts."""
        for number, (read, media) in enumerate(self._readers):
            try:
                found = read(line)
            except (ValueError, DecodeError, RecursionError):
                continue
            if not self._is_right(found.request, media=media):
                return None
            self._plain = False
            if number:  # the next line is probably like this one
                self._readers.reverse()
            key: str = found.key
            return None if self._marks and spell_key(key) != key else key
        return None

    def remember(self, line: bytes) -> None:
        """Know from now on what stands beside the prompt of a line that was found right as it is."""
        for read, _ in self._readers:
            try:
                request = read(line).request
            except (ValueError, DecodeError, RecursionError):
                continue
            for name in self._names:
                raw = getattr(request, name)
                if raw is not UNSET and len(self._known) < _MOST and len(raw := bytes(raw)) <= _LONGEST:
                    self._known.add((name, raw))
            return

    def _is_right(self, request: Any, *, media: bool) -> bool:
        """Whether what stands beside the prompt is known, and each part has one thing in it."""
        prompt, *beside = astuple(request)
        known = self._known
        for name, raw in zip(self._names, beside, strict=True):
            if raw is not UNSET and (name, bytes(raw)) not in known:
                return False
        turns = prompt if prompt.__class__ is list else (prompt,)
        return not media or all(part.is_one for turn in turns for part in turn.parts)


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
