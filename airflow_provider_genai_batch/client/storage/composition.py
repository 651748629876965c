"""Joins objects inside Cloud Storage, without a download."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import Any

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.wire.services.files import JSONL
from airflow_provider_genai_batch.wire.services.storage import MOST_SOURCES, Object

log = logging.getLogger(__name__)


def compose(
    calls: Calls, sources: Sequence[Object], uri: str, *, mime_type: str = JSONL
) -> Generator[Any, Any, Object]:
    """Join objects, in order, into one object of the same bucket. It appears whole, and replaces an existing one.

    More than 32 objects are joined in several steps. The intermediate objects are beside the first source, and are
    deleted at the end.

    Args:
        calls: the calls of the connection.
        sources: the objects, with their generations.
        uri: ``gs://bucket/object`` of the result.
        mime_type: the type of the result.

    Raises:
        PreconditionFailed: a source has changed since its metadata was read.
        CallError: they could not be joined. The object at `uri` is unchanged.
    """
    between: list[Object] = []
    try:
        whole = yield from _joined(calls, sources, uri, mime_type, between)
    except CallError:
        yield from _delete(calls, between)
        raise
    yield from _delete(calls, between)
    return whole


def _delete(calls: Calls, between: Sequence[Object]) -> Generator[Any, Any, None]:
    for one in between:
        try:
            yield calls.delete_object(one.uri)
        except CallError as error:  # it is gone already, or is left behind; the whole does not need it
            log.warning("%s was not deleted: %s", one.uri, error)


def _joined(
    calls: Calls, sources: Sequence[Object], uri: str, mime_type: str, between: list[Object]
) -> Generator[Any, Any, Object]:
    level = [*sources]
    while len(level) > MOST_SOURCES:
        groups = [level[start : start + MOST_SOURCES] for start in range(0, len(level), MOST_SOURCES)]
        level = []
        for group in groups:
            name = f"{sources[0].uri}.joined-{len(between):05d}"
            level.append((yield calls.compose_object(name, group, mime_type=mime_type)))
            between.append(level[-1])
    whole: Object = yield calls.compose_object(uri, level, mime_type=mime_type)
    return whole
