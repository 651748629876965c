"""Candidates of one answer: chooses one, and lists all of them in the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_genai_batch.wire.answers.answer import Answer, Finish
from airflow_provider_genai_batch.wire.answers.members import Dropped
from airflow_provider_genai_batch.wire.values import get, integer, mapping


def indices(candidates: list[Any]) -> list[int]:
    """Return each candidate's own index, or their places if the indices are absent or not unique."""
    said = [integer(get(mapping(one), "index", place)) for place, one in enumerate(candidates)]
    valid = [index for index in said if index is not None and index >= 0]
    return valid if len(set(valid)) == len(candidates) else list(range(len(candidates)))


def answer_of(read: Mapping[int, Answer], dropped: Dropped) -> Answer:
    """Return the chosen answer, with a list of all candidates if there are several.

    Args:
        read: each candidate by its index, in order.
        dropped: counts an index that is nowhere in the row: that of a single candidate which is not the first.
    """
    answer = _chosen(list(read.values()))
    if len(read) > 1:
        return _with_others(answer, read)
    if read and 0 not in read and not (answer.parts or answer.media):
        dropped.count("index")
    return answer


def _chosen(read: list[Answer]) -> Answer:
    """Return the first whole answer with content, else the first truncated one, else the first with content, or any."""
    good = [one for one in read if one.has_content]
    for finish in ((None, Finish.WHOLE), (Finish.CUT_OFF,)):
        for one in good:
            if one.finish in finish:
                return one
    return next(iter([*good, *read]), Answer())


def _with_others(chosen: Answer, read: Mapping[int, Answer]) -> Answer:
    listed = [
        {
            "index": index,
            "text": one.text,
            "finish_reason": one.finish_reason,
            **{name: more for name in ("grounding", "citations", "logprobs") if (more := getattr(one, name))},
        }
        for index, one in read.items()
    ]
    parts = [part for one in read.values() for part in one.parts or ()]
    media = [medium for one in read.values() for medium in one.media or ()]
    return replace(chosen, candidates=listed, parts=parts, media=media)
