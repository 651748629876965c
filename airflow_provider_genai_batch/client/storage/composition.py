"""Objects of Cloud Storage that are joined there: no byte travels."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.wire.services.files import JSONL
from airflow_provider_genai_batch.wire.services.storage import MOST_SOURCES, Object


def compose(
    calls: Calls, sources: Sequence[Object], uri: str, *, mime_type: str = JSONL
) -> Generator[Any, Any, Object]:
    """Join objects, in their order, into one of the same bucket, which appears whole in place of any other.

    More than 32 are joined in turns; what comes between lies beside the first source and is deleted at the end.

    Args:
        calls: of the service.
        sources: with the generations that are meant.
        uri: ``gs://bucket/object`` of the whole.
        mime_type: of the whole.

    Raises:
        PreconditionFailed: a source has changed since it was looked at.
        CallError: they could not be joined. The object at `uri` is as it was.
    """
    between: list[Object] = []
    level = [*sources]
    while len(level) > MOST_SOURCES:
        groups = [level[start : start + MOST_SOURCES] for start in range(0, len(level), MOST_SOURCES)]
        level = []
        for group in groups:
            name = f"{sources[0].uri}.joined-{len(between):05d}"
            level.append((yield calls.compose_object(name, group, mime_type=mime_type)))
            between.append(level[-1])
    whole: Object = yield calls.compose_object(uri, level, mime_type=mime_type)
    for one in between:
        yield calls.delete_object(one.uri)
    return whole
