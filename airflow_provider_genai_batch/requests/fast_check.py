"""The fast check: most lines are right as they are, and a strict typed read is enough to know it.

It accepts only lines that are certainly right, many at a time. It reads prompts of text and media and the plain
parameters by their types. Other fields beside the prompt are the same in most lines of a file: once the full check has
accepted them, the fast check recognizes them by their bytes. Lines that it does not recognize go to
`wire.lines.request`, which says what is wrong with them, if anything is.
"""

from __future__ import annotations

import re
from itertools import repeat
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, UnsetType, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.line_types import WRONG, RequestTypes
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS, spell_key
from airflow_provider_genai_batch.wire.spelling import camel

TOGETHER = 64
"""Lines that are checked together. If one of them is unusual, each is checked by itself."""
_MOST, _LONGEST = 256, 64 * 1024
"""How many fields are recognized by their bytes, and how long each may be. Files whose fields differ gain nothing."""
_BEGIN, _END = b"{", b"}\n"
_MOST_CUTS, _TRIES = 4, 16
_OPENED = re.compile(rb'("request"\s*:\s*\{\s*)(|.*,\s*)"contents?"\s*:\s*\Z', re.DOTALL)
"""The text from the start of the request to its prompt."""
_Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]


class FastCheck:
    """Checks the lines of one file.

    A line has a key and a request, has only a request, or is the request itself. The check expects one form at a time:
    that of the last line that the full check accepted.

    Args:
        backend: where the file goes.
        task: generate or embed.
    """

    def __init__(self, backend: Backend, task: Task) -> None:
        kinds = RequestTypes(backend, task)
        self._marks = backend is Backend.VERTEX
        self._forms = [_Form(kinds, "keyed"), _Form(kinds, "keyless"), _Form(kinds, "bare")]
        self._form = self._forms[0]

    def keys(self, lines: list[bytes]) -> list[str] | None:
        """Return the keys of lines that are certainly right, empty for lines without one; None: check each fully."""
        keys = self._form.keys(lines)
        if self._marks and keys is not None and not all(map(self._is_as_sent, keys)):
            return None
        return keys

    def keys_of_texts(self, lines: list[bytes]) -> list[str] | None:
        """Return the keys of lines that have only turns of text; a key is empty if the line has none.

        None: a line has something else, or some lines have keys and others do not.
        """
        keyed, keyless, _ = self._forms
        if (keys := keyed.keys_of_texts(lines)) is None:
            return keyless.keys_of_texts(lines)
        return None if self._marks and not all(map(self._is_as_sent, keys)) else keys

    def key(self, line: bytes) -> str | None:
        """Return the key of a line that is certainly right, empty if it has none; None: check it fully."""
        keys = self.keys([line])
        key = self._form.known_key(line) if keys is None else keys[0]
        return key if key is None or not self._marks or self._is_as_sent(key) else None

    def remember(self, line: bytes) -> None:
        """Remember the fields beside the prompt of a line that the full check accepted as it is."""
        for form in self._forms:
            if form.remember(line):
                self._form = form
                return

    def stamped(self, line: bytes, key: str) -> bytes:
        """Write a key into an accepted line that has none; the rest stays as it is, to the digit."""
        return self._form.stamped(line, key)

    @staticmethod
    def _is_as_sent(key: str) -> bool:
        return not key or spell_key(key) == key


class _Form:
    """Lines that have the request in the same place.

    Text that is equal in many lines, before or after the prompt, is cut out of all of them before they are read. It
    consists of whole members of the request, with the bracket or comma beside them, so the remaining text is valid
    exactly if the line is.
    """

    def __init__(self, kinds: RequestTypes, form: Literal["keyed", "keyless", "bare"]) -> None:
        self._kinds, self._keyed, self._bare = kinds, form == "keyed", form == "bare"
        self._end = b"}\n" if self._bare else b"}}\n"
        self._known: set[tuple[str, bytes]] = set()
        self._before: dict[bytes, bytes] = {}
        self._behind: tuple[bytes, ...] = ()
        self._readers: list[tuple[Any, str]] = []
        self._tries, self._typed = _TRIES, True
        self._outline: Any = None

    def keys(self, lines: list[bytes]) -> list[str] | None:
        # So each line is one object: if one continued in the next line, no "}" could be followed by "{".
        if not all(map(bytes.startswith, lines, repeat(_BEGIN))) or not all(
            map(bytes.endswith, lines, repeat(_END))
        ):
            return None
        data = self._without_cuts(lines)
        for number, (read, kind) in enumerate(self._readers or self._made()):
            try:
                found = read(data)
            except WRONG:
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

    def keys_of_texts(self, lines: list[bytes]) -> list[str] | None:
        if not all(map(bytes.startswith, lines, repeat(_BEGIN))) or not all(
            map(bytes.endswith, lines, repeat(self._end))
        ):
            return None
        read = next(read for read, kind in self._readers or self._made() if not kind)
        try:
            found = read(b"".join(lines))
        except WRONG:
            return None
        if len(found) != len(lines):
            return None
        return [line.key for line in found] if self._keyed else [""] * len(lines)

    def _without_cuts(self, lines: list[bytes]) -> bytes:
        for before, left in self._before.items():
            lines = [line.replace(before, left, 1) for line in lines]
        for behind in self._behind:
            if all(map(bytes.endswith, lines, repeat(behind))):
                size = -len(behind)
                return self._end.join([*(line[:size] for line in lines), b""])
        for behind in self._behind:
            lines = [line[: -len(behind)] + self._end if line.endswith(behind) else line for line in lines]
        return b"".join(lines)

    def known_key(self, line: bytes) -> str | None:
        """Return the key of a line with a usual prompt and known fields beside it; None if it is not such a line."""
        found = self._outlined(line)
        if found is None or not (self._keyed or (line.startswith(_BEGIN) and line.endswith(_END))):
            return None
        key, prompt, beside = found
        known = len({camel(name) for name, _ in beside}) == len(beside) and self._known.issuperset(beside)
        return key if known and self._kinds.is_prompt(prompt) else None

    def remember(self, line: bytes) -> bool:
        """Remember the fields beside the prompt; return False if the line has another form."""
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
        """Cut the text around the prompt of lines from now on, if the types accept what remains."""
        line = lines[0]
        found = self._outlined(line)
        if found is not None and self._typed and any("_" in name for name, _ in found[2]):
            # Then no typed field may be there, because it could be the same field in the other spelling.
            self._typed, self._before = False, {}
            self._readers = self._made()
        if found is None or len(line) > _LONGEST or len(self._before) + len(self._behind) >= _MOST_CUTS:
            return
        prompt = bytes(found[1])
        begin = line.find(prompt)
        head, behind = line[:begin], line[begin + len(prompt) :]
        earlier = self._before, self._behind
        opened = None if self._bare or not self._typed else _OPENED.search(head)
        if opened and opened[2] and opened[1] + opened[2] in lines[-1]:
            self._before = {**self._before, opened[1] + opened[2]: opened[1]}
        if behind.startswith(b",") and behind.endswith(_END) and lines[-1].endswith(behind):
            self._behind = (*self._behind, behind)
        if earlier == (self._before, self._behind):
            return
        tries, self._tries = self._tries, 0
        if self.keys([line]) is None:
            self._before, self._behind = earlier
        else:
            self._readers.sort(key=lambda reader: reader[1])  # the remaining text is simpler
        self._tries = tries

    def stamped(self, line: bytes, key: str) -> bytes:
        if self._bare:
            return b'{"key":"%b","request":%b}\n' % (key.encode(), line[:-1])
        return b'{"key":"%b",%b' % (key.encode(), line[1:])

    def _made(self) -> list[tuple[Any, str]]:
        kinds = self._kinds
        text, media = (kinds.prompt, kinds.turn), (kinds.prompt, kinds.media)
        typed = kinds.typed if self._typed else []
        self._readers = [(self._reader([text]), "")]
        if typed:
            self._readers.append((self._reader([text, *typed]), "config"))
        self._readers.append((self._reader([media, *typed]), "media"))
        return self._readers

    def _reader(self, fields: list[Any]) -> Any:
        return Decoder(self._line(fields)).decode_lines

    def _are_right(self, lines: list[Any], *, media: bool) -> bool:
        return self._kinds.are_right(lines if self._bare else [line.request for line in lines], media=media)

    def _outlined(self, line: bytes) -> tuple[str, Raw, list[tuple[str, bytes]]] | None:
        """Return key, prompt and the fields beside it; None if the form differs or a field may not be there."""
        kinds = self._kinds
        if self._outline is None:
            beside = [(name, Raw | UnsetType, UNSET) for name in kinds.beside]
            self._outline = Decoder(self._line([(kinds.prompt, Raw), *beside])).decode
        try:
            found = self._outline(line)
        except WRONG:
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
