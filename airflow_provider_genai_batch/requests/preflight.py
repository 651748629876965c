"""Checks every line of an input file before money is spent, and writes what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder, same_key
from airflow_provider_genai_batch.requests.fast_check import TOGETHER, FastCheck
from airflow_provider_genai_batch.requests.line_kind import JSON_SPACE, check_shape, parse, says
from airflow_provider_genai_batch.requests.vertex_importer import Importer, importable
from airflow_provider_genai_batch.requests.write import Check
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.keys import spell_key, stamp, stamps
from airflow_provider_genai_batch.wire.lines.entry import check_metadata, file_row
from airflow_provider_genai_batch.wire.lines.fast_requests import usual_request
from airflow_provider_genai_batch.wire.lines.framing import Framer
from airflow_provider_genai_batch.wire.lines.request import (
    SpelledDefaults,
    WireRequest,
    rest_request,
    spell_defaults,
)
from airflow_provider_genai_batch.wire.prompts.embed import check_text, takes_text_only
from airflow_provider_genai_batch.wire.services.http import json_body


class Preflight:
    """One pass over one JSONL file; its memory does not grow with the file.

    Lines that are right pass unchanged, byte for byte. A missing key is stamped, and a bare request is wrapped. A line
    is rewritten if its spelling differs from what the service takes, and always with `defaults`. A line is judged like
    the same object in a list, because `wire.lines.request` reads both.

    Args:
        backend: where the file goes.
        task: generate or embed.
        model: the job's model.
        defaults: SDK config or REST fields merged into every request; the request's own values win.
        max_bytes: replaces the service's limit.
        max_requests: replaces the service's limit.
        name: the file's name, for messages.
        place: names a line by its number if there are several files.
        check: refuses requests that the service would accept. It sees each set of parameters once, not each text.

    Attributes:
        rows: lines yielded.
        bytes: bytes yielded.
        keys: the keys of all lines.
        keyless: how many lines had no key and were given one.
        unchanged: whether the output equals the input.
    """

    def __init__(  # noqa: PLR0913 - keyword-only except for the job's own facts
        self,
        backend: Backend,
        task: Task,
        model: str,
        *,
        defaults: Any = None,
        max_bytes: int | None = None,
        max_requests: int | None = None,
        name: str = "",
        place: Callable[[int], str] | None = None,
        check: Check | None = None,
    ) -> None:
        self.rows, self.bytes, self.keyless, self.unchanged = 0, 0, 0, True
        self._backend, self._task, self._model = backend, task, model
        self._defaults, self._name = defaults or None, name
        self._limits = limits_of(backend, task, model, max_bytes=max_bytes, max_requests=max_requests)
        self._most_bytes = self._limits.max_bytes or sys.maxsize
        self._most_rows = self._limits.max_requests or sys.maxsize
        self._number = 0
        self._place = place or "line {}".format
        self.keys, self._importer, self._framer = DuplicateKeyFinder(), Importer(self._place), Framer()
        self._beside = f" of {name}" if name and place is None else ""
        self._bare_texts = task is Task.EMBED and takes_text_only(model, backend)
        self._family = family_of(model)
        self._fast_check = FastCheck(backend, task)
        self._usual: dict[str, Any] | None = None
        self._beside_all = b""
        self._check = check

    def lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines to upload; see `blocks`."""
        for block in self.blocks(chunks):
            yield from block.splitlines(keepends=True)

    def blocks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines to upload, several at a time. The attributes are final when it is exhausted.

        Args:
            chunks: the file in pieces, cut anywhere.

        Raises:
            RequestError: a line would be refused or would fail the job; with its number.
            InputError: the file has no requests.
        """
        anew = self._bare_texts or self._defaults is not None or self._family is not Family.GOOGLE
        for block in self._blocks(chunks):
            closely = anew or self._framer.odd
            for begin in range(0, len(block), TOGETHER):
                some = block[begin : begin + TOGETHER]
                if closely and self._beside_all and not self._framer.odd:
                    keys = self._fast_check.keys_of_texts(some)
                else:
                    keys = None if closely or self._unchecked else self._fast_check.keys(some)
                yield b"".join(self._each(some, closely) if keys is None else self._all(some, keys))
        if twice := self.keys.twice():
            raise self._same_key(*twice)
        if not self.rows:
            msg = f"{self._name or 'the input'} holds no requests"
            raise InputError(msg)
        self.unchanged = self.unchanged and not self._framer.touched

    def _all(self, lines: list[bytes], keys: list[str]) -> list[bytes]:
        """Pass lines that are right; stamp them if they have no keys."""
        stamped = not keys[0]
        if stamped:
            keys, lines = self._stamped(lines)
        if self._beside_all:
            # Written after the line's own fields, inside the closing brackets.
            lines = [line[:-3] + self._beside_all for line in lines]
            self.unchanged = False
        begin, self._number = self._number + 1, self._number + len(lines)
        twice = self.keys.add_stamps(len(lines), begin) if stamped else self.keys.add_all(keys, begin)
        if twice:
            raise self._same_key(*twice)
        if self.bytes + sum(map(len, lines)) > self._most_bytes or self.rows + len(lines) > self._most_rows:
            for number, line in enumerate(lines, begin):
                self._count(line, number)
            return lines
        self.rows += len(lines)
        self.bytes += sum(map(len, lines))
        return lines

    def _each(self, lines: list[bytes], closely: bool) -> list[bytes]:
        """Check lines one by one."""
        passed = []
        for line in lines:
            self._number += 1
            key, written = None if closely or self._unchecked else self._fast_check.key(line), line
            if key == "":
                (key,), (written,) = self._stamped([line])
            elif key is None:
                key, written = self._looked_at(line, self._number, self.rows)
                if not written:
                    continue
            if key is not None and (twice := self.keys.add(key, self._number)):
                raise self._same_key(*twice)
            self._count(written, self._number)
            passed.append(written)
        return passed

    @property
    def _unchecked(self) -> bool:
        """Whether the check has not seen a request yet."""
        return self._check is not None and not self.rows

    def _stamped(self, lines: list[bytes]) -> tuple[list[str], list[bytes]]:
        keys = stamps(self.rows, self.rows + len(lines))
        self.keyless += len(lines)
        self.unchanged = False
        return keys, [*map(self._fast_check.stamped, lines, keys)]

    def _count(self, line: bytes, number: int) -> None:
        self.rows += 1
        self.bytes += len(line)
        if self.bytes > self._most_bytes or self.rows > self._most_rows:
            self._limits.check(self.rows, self.bytes, self._where(number))

    def _blocks(self, chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
        try:
            yield from self._framer.blocks(chunks)
        except RequestError as error:
            raise error.at(self._where(self._framer.lines + 1)) from error

    def _looked_at(self, line: bytes, number: int, index: int) -> tuple[str | None, bytes]:
        """Check a line fully; return its key (None if its kind has none) and the bytes to write."""
        text = line.strip(JSON_SPACE)
        if not text:
            self.unchanged = False
            return None, b""
        try:
            return self._row(text, line, number, index)
        except RequestError as error:
            raise error.at(self._where(number)) from error

    def _row(self, text: bytes, line: bytes, number: int, index: int) -> tuple[str | None, bytes]:
        row = parse(text)
        if b"\r" in line:  # between tokens; not every line reader treats it as a space
            text, line = text.replace(b"\r", b""), line.replace(b"\r", b"")
        if self._bare_texts and self._defaults is None and _is_bare_text(row):
            asked = WireRequest(None, row)
            check_text(row["content"], self._model)
        else:
            asked = self._asked(row, number)
        if self._bare_texts:
            return self._bare(row, asked, line, number)
        if self._family is not Family.GOOGLE:
            return self._of_a_partner(row, asked, line, index)
        key = stamp(index) if asked.key is None else asked.key
        self.keyless += asked.key is None
        bare = "request" not in row
        as_given = self._defaults is None and says(row if bare else row["request"], asked.request, self._task)
        spelled = spell_key(key) if self._backend is Backend.VERTEX else key
        moved = "metadata" in row and (asked.beside or {}).get("metadata") != row["metadata"]
        if not as_given or moved or row.get("key", spelled) != spelled:
            row = file_row(key, asked, self._backend)
            written = _written(row)
        elif bare:
            row = {"key": key, "request": row}
            written = b'{"key":"%b","request":%b}\n' % (key.encode(), text)
        elif asked.key is None:
            # Inserted into the text, so that numbers keep their digits.
            written = b'{"key":"%b",%b\n' % (key.encode(), text[1:])
        else:
            written = line
        if self._backend is Backend.VERTEX:
            self._importer.check(importable(row), number)
        self.unchanged = self.unchanged and written is line
        if as_given:
            self._fast_check.remember(line)
        return key, written

    @cached_property
    def _spelled(self) -> SpelledDefaults:
        return spell_defaults(self._defaults, backend=self._backend, task=self._task, model=self._model)

    def _asked(self, row: dict[str, Any], number: int) -> WireRequest:
        """Read the request of a line in the same way as an item of a list."""
        if self._usual is not None and (found := usual_request(row, self._usual)):
            return found
        if not self._bare_texts and self._family is Family.GOOGLE:
            check_shape(row, self._task)
        asked = rest_request(
            row, backend=self._backend, task=self._task, model=self._model, defaults=self._spelled
        )
        check_metadata(asked)
        if self._check is not None:
            self._check(asked.request, self._where(number))
        if self._usual is None and self._task is Task.GENERATE and self._family is Family.GOOGLE:
            self._usual = self._spelled.fields
            if self._usual:
                self._beside_all = b",%b}\n" % json_body(self._usual)[1:]
        return asked

    def _bare(
        self, row: dict[str, Any], asked: WireRequest, line: bytes, number: int
    ) -> tuple[str | None, bytes]:
        """Write a line for a model that takes only a text."""
        written = line if row == asked.request else _written(asked.request)
        self._importer.check(asked.request, number)
        self.unchanged = self.unchanged and written is line
        return None, written

    def _of_a_partner(
        self, row: dict[str, Any], asked: WireRequest, line: bytes, index: int
    ) -> tuple[str, bytes]:
        """Write a line for a partner's model; a complete line stays as it is."""
        key = stamp(index) if asked.key is None else asked.key
        self.keyless += asked.key is None
        whole = file_row(key, asked, self._backend)
        written = line if row == whole else _written(whole)
        self.unchanged = self.unchanged and written is line
        return key, written

    def _where(self, number: int) -> str:
        return self._place(number) + self._beside

    def _same_key(self, earlier: int, later: int) -> RequestError:
        return same_key(self._place(earlier), self._where(later))


def _is_bare_text(row: dict[str, Any]) -> bool:
    """Whether a line has the form of models for texts only; its text may still be of a wrong kind."""
    return row.keys() == {"content"} and not isinstance(row["content"], (dict, list))


def _written(row: dict[str, Any]) -> bytes:
    try:
        return json_body(row) + b"\n"
    except ValueError as error:
        msg = "a number is too large"
        raise RequestError(msg, "Numbers are 64-bit floats.") from error
