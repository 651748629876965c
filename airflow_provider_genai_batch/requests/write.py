"""Writes requests that are Python objects as lines of a file or as entries of a create call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import eq
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder, same_key
from airflow_provider_genai_batch.requests.frames import MOST_HELD, TOGETHER, Frames
from airflow_provider_genai_batch.requests.vertex_importer import Importer, importable
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.keys import spell_key, stamp, stamps
from airflow_provider_genai_batch.wire.lines.entry import file_line, file_row, inline_entry
from airflow_provider_genai_batch.wire.lines.fast_requests import usual_prompt, usual_request
from airflow_provider_genai_batch.wire.lines.request import (
    SpelledDefaults,
    WireRequest,
    rest_request,
    spell_defaults,
)
from airflow_provider_genai_batch.wire.prompts.embed import expand, takes_text_only

_MARK = f"m{uuid4().hex}"
"""Stands for the strings that differ from line to line."""

Check: TypeAlias = Callable[[Mapping[str, Any], str], object]
"""Takes a request, as written for the service, and its place; raises `RequestError` if it must not be sent."""


def request_lines(
    items: Iterable[Any],
    backend: Backend,
    task: Task,
    model: str,
    defaults: Any = None,
    *,
    max_bytes: int | None = None,
) -> Iterator[tuple[str | None, bytes]]:
    """Yield the key and the line of JSONL of each request; missing keys are stamped.

    The key is None if the model takes none. The other arguments are those of `RequestWriter`.

    Raises:
        RequestError: a request cannot be sent, two have the same key, or there are too many (``request 3``: the third).
        InputError: there are no requests.
    """
    return RequestWriter(backend, task, model, defaults, max_bytes=max_bytes).lines(items)


class RequestWriter:
    """Writes requests as lines, one by one or many at a time.

    `max_bytes` and `max_requests` replace the limits of one job. `check` refuses requests that the service would
    accept; it does not see requests that differ from an earlier one in their texts only.

    Attributes:
        rows: requests so far.
        keys: their keys, if the model takes keys.
    """

    def __init__(
        self,
        backend: Backend,
        task: Task,
        model: str,
        defaults: Any = None,
        *,
        max_bytes: int | None = None,
        max_requests: int | None = None,
        check: Check | None = None,
    ) -> None:
        self.rows, self.keys = 0, DuplicateKeyFinder()
        self._speller = _Speller(backend, task, model, defaults, check)
        self._limits = limits_of(backend, task, model, max_bytes=max_bytes, max_requests=max_requests)
        self._importer = Importer("request {}".format) if backend is Backend.VERTEX else None
        self._keyless = takes_text_only(model, backend)
        self._frames: Frames | None = None
        self._size = 0

    def lines(self, items: Iterable[Any]) -> Iterator[tuple[str | None, bytes]]:
        """Yield the key and the line of each request; see `request_lines`."""
        for item in self._speller.each(items):
            yield self._line(item)
        self._end()

    def blocks(self, items: Iterable[Any]) -> Iterator[bytes]:
        """Yield the lines, several at a time. Prompts that differ in their text only are written together."""
        prompts: list[tuple[str | None, str]] = []
        size = 0
        for item in self._speller.each(items):
            found = None if self._speller.beside is None else usual_prompt(item)
            if found is not None:
                prompts.append(found)
                size += len(found[1])
                if len(prompts) == TOGETHER or size > MOST_HELD:
                    yield self._together(prompts)
                    prompts, size = [], 0
                continue
            if prompts:
                yield self._together(prompts)
                prompts, size = [], 0
            yield self._line(item)[1]
        if prompts:
            yield self._together(prompts)
        self._end()

    def _together(self, prompts: list[tuple[str | None, str]]) -> bytes:
        """Write text prompts together."""
        if self._frames is None:
            asked = usual_request(_MARK, self._speller.beside or {})
            assert asked is not None  # noqa: S101 - it is a text
            self._frames = Frames(file_row(_MARK, asked, self._speller.backend), re.compile(_MARK))
        begin = self.rows
        keys = [
            own if key is None else key
            for own, (key, _) in zip(stamps(begin, begin + len(prompts)), prompts, strict=True)
        ]
        spelled = keys if self._importer is None else [*map(spell_key, keys)]
        try:
            lines = self._frames.lines((spelled, [text for _, text in prompts]))
        except UnicodeEncodeError:  # writing them one by one finds out which
            lines = b""
        if not lines or self._limits.are_passed(begin + len(prompts), self._size + len(lines)):
            one_by_one = (text if key is None else {"key": key, "contents": text} for key, text in prompts)
            return b"".join([self._line(item)[1] for item in one_by_one])
        self._note(keys, begin + 1)
        self.rows += len(prompts)
        self._size += len(lines)
        return lines

    def _line(self, item: Any) -> tuple[str | None, bytes]:
        """Write one request."""
        where = f"request {self.rows + 1}"
        request, usual = self._speller.spelled(item, where)
        key = stamp(self.rows) if request.key is None else request.key
        self.rows += 1
        if not self._keyless:
            self._note([key], self.rows)
        try:
            line = file_line(key, request, self._speller.backend, self._speller.task, self._speller.model)
            if self._importer is not None and not usual and request.family is Family.GOOGLE:
                # The importer has checked a usual request with the first one.
                self._importer.check(importable(file_row(key, request, Backend.VERTEX)), self.rows)
        except RequestError as error:
            raise error.at(where) from error
        self._size += len(line)
        self._limits.check(self.rows, self._size, where)
        return None if self._keyless else key, line

    def _note(self, keys: list[str], number: int) -> None:
        _refuse(self.keys.add_all(keys, number))

    def _end(self) -> None:
        _refuse(self.keys.twice())


def _refuse(twice: tuple[int, int] | None) -> None:
    if twice is not None:
        raise same_key(*map("request {}".format, twice))


class InlineEntries(NamedTuple):
    """Requests as entries of a Gemini create call, and the facts about their keys."""

    entries: tuple[dict[str, Any], ...]
    stamped: int
    """How many keys are the stamp of their place."""
    key_sum: int | None
    """Identifies the set of keys, see `DuplicateKeyFinder`; None if all are stamps of their places."""


def inline_entries(
    items: Iterable[Any], task: Task, model: str, defaults: Any = None, *, check: Check | None = None
) -> InlineEntries:
    """Return one entry of a Gemini create call for each request; missing keys are stamped.

    `check` is that of `RequestWriter`.

    Raises:
        RequestError: a request cannot be sent, or two have the same key; ``request 3`` is the third.
        InputError: there are no requests.
    """
    speller = _Speller(Backend.GEMINI, task, model, defaults, check)
    spelled = enumerate(speller.each(items), 1)
    requests = [speller.spelled(item, f"request {number}")[0] for number, item in spelled]
    own_keys = stamps(0, len(requests))
    keys = [own if one.key is None else one.key for one, own in zip(requests, own_keys, strict=True)]
    entries = tuple(map(inline_entry, keys, requests))
    stamped, finder = sum(map(eq, keys, own_keys)), DuplicateKeyFinder()
    if stamped == len(keys):  # they differ
        return InlineEntries(entries, stamped, None)
    _refuse(finder.add_all(keys, 1) or finder.twice())
    return InlineEntries(entries, stamped, finder.facts()["key_sum"])


class _Speller:
    """Writes requests as they are sent.

    Attributes:
        beside: the fields beside the prompt of a request that sets none itself; None: not known yet.
    """

    def __init__(self, backend: Backend, task: Task, model: str, defaults: Any, check: Check | None) -> None:
        self.backend, self.task, self.model = backend, task, model
        self.beside: dict[str, Any] | None = None
        self._defaults, self._check = defaults, check
        self._spelled: SpelledDefaults | None = None

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the requests.

        Raises:
            InputError: there are none.
        """
        item = none = object()
        for item in expand(items) if self.task is Task.EMBED else items:
            yield item
        if item is none:
            msg = "there are no requests: there is nothing to ask"
            raise InputError(msg)

    def spelled(self, item: Any, where: str) -> tuple[WireRequest, bool]:
        """Return a request, and whether it is a usual one: it differs from the others in its text only.

        Raises:
            RequestError: it cannot be sent.
        """
        request = None if self.beside is None else usual_request(item, self.beside)
        if request is not None:
            return request, True
        try:
            if self._spelled is None:
                self._spelled = spell_defaults(
                    self._defaults, backend=self.backend, task=self.task, model=self.model
                )
            request = rest_request(
                item, backend=self.backend, task=self.task, model=self.model, defaults=self._spelled
            )
            if self._check is not None:
                self._check(request.request, where)
        except RequestError as error:
            raise error.at(where) from error
        if self.beside is None and self.task is Task.GENERATE and request.family is Family.GOOGLE:
            self.beside = self._spelled.fields
        return request, False
