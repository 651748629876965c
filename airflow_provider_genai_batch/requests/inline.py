"""The limit of answers inside a job: the service has been seen to return none if they have many bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, MOST_OUTPUT, TokenEstimate
from airflow_provider_genai_batch.wire.answers.media import asks_for
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.services.gemini import MOST_INLINE_BYTES, MOST_INLINE_MEDIA

EMBEDDING_BYTES = 64 * 1024
"""Size of an embedding as JSON: 3072 numbers, the most that Google's models return, with 20 digits each."""
STAYS_INLINE = (
    "The answers may be larger than the Gemini API returns inside a job, but the requests have metadata, which only "
    "inline requests can have, so they are sent inline all the same. Without metadata they are sent as a file."
)


def fits_inline(entries: Sequence[Mapping[str, Any]], task: Task, model: str) -> bool:
    """Whether the answers are few and short enough to come inside the job, even at their maximum size.

    Args:
        entries: entries of a create call, as this package writes them.
        task: generate or embed.
        model: the job's model.
    """
    if task is Task.EMBED:
        return len(entries) * EMBEDDING_BYTES <= MOST_INLINE_BYTES
    settled = [entry for entry in entries if "generationConfig" in entry["request"]]
    others = len(entries) - len(settled)  # these get the model's default kind of answer
    if others and asks_for({}, model):
        return False
    most = others * MOST_OUTPUT
    if settled:
        if any(asks_for(entry["request"], model) for entry in settled):
            return False
        most += TokenEstimate().add(settled).output
    return most * BYTES_A_TOKEN <= MOST_INLINE_BYTES


def check_inline_media(entries: Sequence[Mapping[str, Any]], model: str) -> None:
    """Refuse more pictures or sounds inside one job than it returns.

    Raises:
        UnsupportedError: there would be more.
    """
    asked = sum(asks_for(entry["request"], model) is not None for entry in entries)
    if task_of(model) is Task.GENERATE and asked > MOST_INLINE_MEDIA:
        msg = (
            f"{asked} inline requests ask for pictures or sound, and with more than {MOST_INLINE_MEDIA} of them the "
            f"Gemini API may never return the answers, which are paid for: it has answered every request for such a "
            f"job with 503. Send them as a file: upload() JSONL and give its files/… name; the operator does so by "
            f"itself "
            "where requests have no metadata."
        )
        raise UnsupportedError(msg)
