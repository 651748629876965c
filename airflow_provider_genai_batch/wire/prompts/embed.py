"""Embedding requests.

Source: Google's batch guide (Gemini); "Get batch embeddings inferences" (Vertex AI), which spells
``embed_content_config`` in snake_case; captures of what Google's google-genai SDK sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.content import content
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.prompts.typed import message, unknown
from airflow_provider_genai_batch.wire.spelling import as_written, config_fields, fields_of
from airflow_provider_genai_batch.wire.values import snake


def takes_text_only(model: str, backend: Backend) -> bool:
    """Whether it is a Vertex AI model for texts only (``text-embedding-00x``); its lines are bare texts."""
    return backend is Backend.VERTEX and model.rpartition("/")[2].startswith(
        ("text-embedding-", "textembedding-", "text-multilingual-embedding-")
    )


def embed_config(config: Any, backend: Backend, *, origin: Any = None) -> dict[str, Any]:
    """Convert ``EmbedContentConfig`` fields (dict or object, either casing) to lowerCamel.

    Raises:
        RequestError: an unknown field, or one of the other service.
    """
    if config is None:
        return {}
    fields = config_fields(config, of="EmbedContentConfig")
    fields.pop("httpOptions", None)
    nested = fields.pop("embedContentConfig", None)
    spelled = embed_config(nested, backend)
    if strange := [name for name in fields if name not in MESSAGES["EmbedContentConfig"]]:
        raise unknown(
            as_written(origin or config, strange[0]),
            "EmbedContentConfig",
            "an embedding request",
            backend,
            fields,
        )
    return {**spelled, **message(fields, "EmbedContentConfig", "embedContentConfig", backend)}


def embed_request(given: Any, config: dict[str, Any], *, backend: Backend, model: str) -> dict[str, Any]:
    """Convert one request.

    Args:
        given: the content.
        config: from `embed_config`.
        backend: where it goes.
        model: decides the format on Vertex AI.

    Raises:
        RequestError: several contents in one request, or fields that the model does not accept.
    """
    if isinstance(given, (list, tuple)):
        if len(given) != 1:
            msg = f"an embedding request has one content, not {len(given)}"
            raise RequestError(msg, "Make one request of each; several parts of one go into a Content.")
        given = given[0]
    spelled = content(given, backend)
    if not spelled.get("parts"):
        msg = "content has no parts"
        raise RequestError(msg, 'Give at least one part: {"parts": [{"text": "…"}]}.')
    if takes_text_only(model, backend):
        return {"content": _only_text(spelled, config, model)}
    if backend is Backend.GEMINI:
        return {"content": spelled, **config}
    if not config:
        return {"content": spelled}
    return {
        "content": spelled,
        "embed_content_config": {snake(name): value for name, value in config.items()},
    }


def expand(items: Iterable[Any]) -> Iterator[Any]:
    """Yield single requests: an ``EmbedContentBatch`` of the SDK with several contents becomes several requests."""
    for item in items:
        try:
            fields = fields_of(item)
        except RequestError:  # raised again, with its place, when the request is written
            fields = None
        several = fields.get("contents") if fields else None
        if not isinstance(several, (list, tuple)) or (fields and "key" in fields):
            yield item
            continue
        rest = {name: value for name, value in (fields or {}).items() if name != "contents"}
        for one in several:
            yield {**rest, "contents": one}


def _only_text(spelled: dict[str, Any], config: dict[str, Any], model: str) -> str:
    parts = spelled.get("parts", [])
    if config:
        msg = f"{model} takes no {next(iter(config))} in a batch"
        raise RequestError(msg, "Leave it out, or use a gemini-embedding model.")
    if [list(part) for part in parts] != [["text"]]:
        msg = f"{model} takes one text in a request"
        raise RequestError(msg, "Give a string, or use a gemini-embedding model.")
    text: str = parts[0]["text"]
    check_text(text, model)
    return text


def check_text(text: Any, model: str) -> None:
    """Refuse content that models for texts only cannot embed.

    Raises:
        RequestError: it is not a text, or is empty.
    """
    if not isinstance(text, str) or not text:
        msg = f"{model} takes lines with content and nothing else; this one's is {'empty' if text == '' else 'no text'}"
        raise RequestError(msg, 'Write {"content": "…"}, or use a gemini-embedding model.')
