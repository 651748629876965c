"""The quick look: most lines are right as they are, and a strict typed read is enough to know it.

It takes only what is certainly right, many lines at a time. Prompts of text and media and the plain parameters are read
by their types. What else stands beside the prompt is the same in most lines of a file: where a closer look found it
good, it is known by its bytes from then on. What the quick look does not know goes to `wire.requests`, which says what
is wrong with it, if anything is.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS, spell_key
from airflow_provider_genai_batch.wire.only import taken

TOGETHER = 64
"""Lines that are looked at together: where one of them is odd, each is looked at by itself."""
_MOST, _LONGEST = 256, 64 * 1024
"""What is known by its bytes: how many, and how long each. A file with others in every line gains nothing by it."""
_MOST_CUTS, _TRIES = 4, 16
_OTHERS = 2
"""Things that a part has not, but for its one."""
_OPENED = re.compile(rb'"request"\s*:\s*\{\s*(|.*,\s*)("contents?"\s*:\s*)\Z', re.DOTALL)
"""From where the request begins to its prompt."""
_WRONG = (ValueError, DecodeError, RecursionError)  # before msgspec 0.21 its own is no ValueError
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
    Task.EMBED: ("taskType", "title", "outputDimensionality", "embedContentConfig"),
}
"""Of a request, by their names in lowerCamel."""
_PLAIN = {
    "string": str,
    "int": int,
    "float": float,
    "bool": bool,
    "[string]": Annotated[list[str], Meta(min_length=1)],
}
"""Kinds of `wire.messages` of which no value of that type is wrong."""


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


class Glance:
    """Looks at lines of one file.

    They have a key and a request, or the request alone, or are the request: of one form at a time, that of the last
    line that was found right by a closer look.

    Args:
        backend: where it goes.
        task: generate or embed.
    """

    def __init__(self, backend: Backend, task: Task) -> None:
        kinds = _Kinds(backend, task)
        self._marks = backend is Backend.VERTEX
        self._forms = [_Form(kinds, "keyed"), _Form(kinds, "keyless"), _Form(kinds, "bare")]
        self._form = self._forms[0]

    def keys(self, lines: list[bytes]) -> list[str] | None:
        """Return the keys of lines that are certainly right, empty where they have none; None: look at each."""
        keys = self._form.keys(lines)
        if self._marks and keys is not None and not all(map(self._is_as_sent, keys)):
            return None
        return keys

    def key(self, line: bytes) -> str | None:
        """Return the key of a line that is certainly right, empty where it has none; None: look at it closely."""
        keys = self.keys([line])
        key = self._form.known_key(line) if keys is None else keys[0]
        return key if key is None or not self._marks or self._is_as_sent(key) else None

    def remember(self, line: bytes) -> None:
        """Know from now on what stands beside the prompt of a line that was found right as it is."""
        for form in self._forms:
            if form.remember(line):
                self._form = form
                return

    def stamped(self, line: bytes, key: str) -> bytes:
        """Write a key into a line that has none and was found right; all else stays, to the digit."""
        return self._form.stamped(line, key)

    @staticmethod
    def _is_as_sent(key: str) -> bool:
        return not key or spell_key(key) == key


class _Kinds:
    """What the parts of a request are read as, for one service."""

    def __init__(self, backend: Backend, task: Task) -> None:
        self.prompt = "contents" if task is Task.GENERATE else "content"
        self.beside = _BESIDE[task]
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
        """Whether it is one of text and media."""
        for read, media in self._prompts:
            try:
                found = read(data)
            except _WRONG:
                continue
            return not media or _is_right(found)
        return False

    def are_right(self, requests: list[Any], *, media: bool) -> bool:
        """Whether each part has one thing in it, and each config something."""
        if media and not all(_is_right(getattr(request, self.prompt)) for request in requests):
            return False
        if not self.typed:
            return True
        empty = self._empty
        return all(request.generationConfig != empty for request in requests)


class _Form:
    """Lines that have the request at one place.

    What is equal in many lines, before the prompt or behind it, is cut out of all of them at once before they are read.
    It is whole members of the request, with the bracket or the comma beside them, so what is left is right just where
    the line is.
    """

    def __init__(self, kinds: _Kinds, form: Literal["keyed", "keyless", "bare"]) -> None:
        self._kinds, self._keyed, self._bare = kinds, form == "keyed", form == "bare"
        self._end = b"}\n" if self._bare else b"}}\n"
        self._known: set[tuple[str, bytes]] = set()
        self._cuts: dict[bytes, bytes] = {}
        self._readers: list[tuple[Any, str]] = []
        self._tries = _TRIES
        self._outline: Any = None

    def keys(self, lines: list[bytes]) -> list[str] | None:
        data = b"".join(lines)
        # So there is one object a line: where one goes on in the next line, no "}" could be followed by "{".
        if data[:1] != b"{" or data[-2:] != b"}\n" or data.count(b"}\n{") != len(lines) - 1:
            return None
        for cut, left in self._cuts.items():
            data = data.replace(cut, left)
        for number, (read, kind) in enumerate(self._readers or self._made()):
            try:
                found = read(data)
            except _WRONG:
                continue
            if len(found) != len(lines) or (kind and not self._are_right(found, media=kind == "media")):
                return None
            if number:  # the next ones are probably like these
                self._readers.insert(0, self._readers.pop(number))
            if kind and self._tries:
                self._tries -= 1
                self._learn(lines)
            return [line.key for line in found] if self._keyed else [""] * len(lines)
        return None

    def known_key(self, line: bytes) -> str | None:
        """Return the key of a line with a usual prompt and what is known beside it."""
        found = self._outlined(line)
        if found is None or not (self._keyed or (line[:1] == b"{" and line[-2:] == b"}\n")):
            return None
        key, prompt, beside = found
        known = all((name, raw) in self._known for name, raw in beside)
        return key if known and self._kinds.is_prompt(prompt) else None

    def remember(self, line: bytes) -> bool:
        """Know what stands beside the prompt; False: the line is of another form."""
        found = self._outlined(line)
        if found is None:
            return False
        *_, beside = found
        for one in beside:
            if len(self._known) < _MOST and len(one[1]) <= _LONGEST:
                self._known.add(one)
        if beside:
            self._learn([line])
        return True

    def _learn(self, lines: list[bytes]) -> None:
        """Cut from now on what stands around the prompt of lines, if what is left is known by its types."""
        line = lines[0]
        found = self._outlined(line)
        if found is None or len(line) > _LONGEST or len(self._cuts) >= _MOST_CUTS:
            return
        prompt = bytes(found[1])
        begin = line.find(prompt)
        before, behind = line[:begin], line[begin + len(prompt) :]
        cuts = {behind: self._end} if behind[:1] == b"," and behind[-2:] == b"}\n" else {}
        opened = _OPENED.search(before)
        if opened and opened[1] and not self._bare:
            cuts[opened[0][: -len(opened[2])]] = opened[0][: -len(opened[1] + opened[2])]
        if cuts and all(cut in lines[-1] for cut in cuts):
            earlier, self._cuts, tries, self._tries = self._cuts, {**self._cuts, **cuts}, self._tries, 0
            if self.keys([line]) is None:
                self._cuts = earlier
            else:
                self._readers.sort(key=lambda reader: reader[1])  # without it, it is plainer
            self._tries = tries

    def stamped(self, line: bytes, key: str) -> bytes:
        if self._bare:
            return b'{"key":"%b","request":%b}\n' % (key.encode(), line[:-1])
        return b'{"key":"%b",%b' % (key.encode(), line[1:])

    def _made(self) -> list[tuple[Any, str]]:
        kinds = self._kinds
        text, media = (kinds.prompt, kinds.turn), (kinds.prompt, kinds.media)
        self._readers = [(self._reader([text]), "")]
        if kinds.typed:
            self._readers.append((self._reader([text, *kinds.typed]), "config"))
        self._readers.append((self._reader([media, *kinds.typed]), "media"))
        return self._readers

    def _reader(self, fields: list[Any]) -> Any:
        return Decoder(self._line(fields)).decode_lines

    def _are_right(self, lines: list[Any], *, media: bool) -> bool:
        return self._kinds.are_right(lines if self._bare else [line.request for line in lines], media=media)

    def _outlined(self, line: bytes) -> tuple[str, Raw, list[tuple[str, bytes]]] | None:
        """Return key, prompt and what is beside it; None: it is another form, or has more than may be beside it."""
        kinds = self._kinds
        if self._outline is None:
            beside = [(name, Raw | UnsetType, UNSET) for name in kinds.beside]
            self._outline = Decoder(self._line([(kinds.prompt, Raw), *beside])).decode
        try:
            found = self._outline(line)
        except _WRONG:
            return None
        prompt, *others = astuple(found if self._bare else found.request)
        named = zip(kinds.beside, others, strict=True)
        there = [(name, bytes(raw)) for name, raw in named if raw is not UNSET]
        return found.key if self._keyed else "", prompt, there

    def _line(self, fields: list[Any]) -> Any:
        request = defstruct("Request", fields, forbid_unknown_fields=True, gc=False)
        if self._bare:
            return request
        key = [("key", _Key)] if self._keyed else []
        return defstruct("Line", [*key, ("request", request)], forbid_unknown_fields=True, gc=False)


def _is_right(prompt: Any) -> bool:
    """Whether each part has one thing in it."""
    for turn in prompt if prompt.__class__ is list else (prompt,):
        for part in turn.parts:
            if (part.text is UNSET) + (part.inline_data is UNSET) + (part.file_data is UNSET) != _OTHERS:
                return False
    return True


def _config(backend: Backend) -> Any:
    fields = [
        (name, _PLAIN[kind] | UnsetType, UNSET)
        for name, kind in taken(backend)["GenerationConfig"].items()
        if kind in _PLAIN
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
