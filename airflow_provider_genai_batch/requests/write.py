"""Requests that users hold in Python, written as lines of a file or as entries of a create call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import eq
from typing import Any, NamedTuple, TypeAlias

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder, same_key
from airflow_provider_genai_batch.requests.vertex_importer import Importer, importable
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.lines.entry import file_line, file_row, inline_entry
from airflow_provider_genai_batch.wire.lines.fast_requests import usual_request
from airflow_provider_genai_batch.wire.lines.request import (
    SpelledDefaults,
    WireRequest,
    rest_request,
    spell_defaults,
)
from airflow_provider_genai_batch.wire.prompts.embed import expand, takes_text_only

Check: TypeAlias = Callable[[Mapping[str, Any], str], object]
"""Takes a request, as it is spelled for the service, and its place; raises `RequestError` if it is not to be sent."""


def request_lines(
    items: Iterable[Any],
    backend: Backend,
    task: Task,
    model: str,
    defaults: Any = None,
    *,
    max_bytes: int | None = None,
    max_requests: int | None = None,
    check: Check | None = None,
) -> Iterator[tuple[str | None, bytes]]:
    """Yield the key and the line of JSONL of each request; keys that are missing are stamped.

    The key is None where the model takes none. `max_bytes` and `max_requests` stand in for the limits of one job.
    `check` refuses requests that the service would take; it is not asked about those that differ in their texts
    alone.

    Raises:
        RequestError: one that cannot be sent, two with one key, or too many; ``request 3`` is the third.
        InputError: there are none.
    """
    limits = limits_of(backend, task, model, max_bytes=max_bytes, max_requests=max_requests)
    importer, keyless = Importer("request {}".format), takes_text_only(model, backend)
    size = 0
    importing = backend is Backend.VERTEX
    for number, (key, request, usual) in enumerate(_keyed(items, backend, task, model, defaults, check), 1):
        try:
            line = file_line(key, request, backend, task, model)
            if (
                importing and not usual and request.family is Family.GOOGLE
            ):  # the importer knows a usual one from the first
                importer.check(importable(file_row(key, request, backend)), number)
        except RequestError as error:
            msg = f"request {number}"
            raise error.at(msg) from error
        size += len(line)
        limits.check(number, size, f"request {number}")
        yield None if keyless else key, line


class InlineEntries(NamedTuple):
    """Requests as entries of a Gemini create call, and what stands for their keys."""

    entries: tuple[dict[str, Any], ...]
    stamped: int
    """How many keys are the stamp of their place."""
    key_sum: int
    """Stands for the set of keys; see `DuplicateKeyFinder`."""


def inline_entries(
    items: Iterable[Any], task: Task, model: str, defaults: Any = None, *, check: Check | None = None
) -> InlineEntries:
    """Return one entry of a Gemini create call for each request; keys that are missing are stamped.

    `check` is that of `request_lines`.

    Raises:
        RequestError: one that cannot be sent, or two with one key; ``request 3`` is the third.
        InputError: there are none.
    """
    requests = [request for request, _ in _spelled(items, Backend.GEMINI, task, model, defaults, check)]
    stamps = [stamp(index) for index in range(len(requests))]
    keys = [own if one.key is None else one.key for one, own in zip(requests, stamps, strict=True)]
    entries = tuple(map(inline_entry, keys, requests))
    finder = DuplicateKeyFinder()
    if twice := finder.add_all(keys, 1) or finder.twice():
        raise same_key(*map("request {}".format, twice))
    return InlineEntries(entries, sum(map(eq, keys, stamps)), finder.key_sum)


def _keyed(
    items: Iterable[Any], backend: Backend, task: Task, model: str, defaults: Any, check: Check | None
) -> Iterator[tuple[str, WireRequest, bool]]:
    """Give each request with its key, and whether it is a usual one; see `_spelled`."""
    finder = DuplicateKeyFinder()
    for index, (request, usual) in enumerate(_spelled(items, backend, task, model, defaults, check)):
        key = stamp(index) if request.key is None else request.key
        if twice := finder.add(key, index + 1):
            raise same_key(*map("request {}".format, twice))
        yield key, request, usual
    if twice := finder.twice():
        raise same_key(*map("request {}".format, twice))


def _spelled(
    items: Iterable[Any], backend: Backend, task: Task, model: str, defaults: Any, check: Check | None
) -> Iterator[tuple[WireRequest, bool]]:
    """Give each request, and whether it is a usual one: with what all of them have, but for its texts."""
    index = -1
    beside: dict[str, Any] | None = None
    spelled: SpelledDefaults | None = None
    for index, item in enumerate(expand(items) if task is Task.EMBED else items):
        request = None if beside is None else usual_request(item, beside)
        if not (usual := request is not None):
            try:
                if spelled is None:
                    spelled = spell_defaults(defaults, backend=backend, task=task, model=model)
                request = rest_request(item, backend=backend, task=task, model=model, defaults=spelled)
                if check is not None:
                    check(request.request, f"request {index + 1}")
            except RequestError as error:
                msg = f"request {index + 1}"
                raise error.at(msg) from error
            if beside is None and task is Task.GENERATE and request.family is Family.GOOGLE:
                beside = spelled.fields
        yield request, usual
    if index < 0:
        msg = "there are no requests: there is nothing to ask"
        raise InputError(msg)
