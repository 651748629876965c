"""Requests of common.ai, converted into requests of this package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import create_model

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.config import merged, request_fields
from airflow_provider_genai_batch.wire.schemas.output_type import ask_for

_ANSWER = ("responseMimeType", "responseSchema", "responseJsonSchema")


@dataclass(frozen=True)
class Wording:
    """The settings with which common.ai's requests are written for one service."""

    backend: Backend
    output: Any = field(default=None, repr=False)
    """The type of the answers; None: text."""
    system_prompt: str = ""
    max_tokens: int = 1024
    params: Mapping[str, Any] | None = None

    def defaults(self) -> dict[str, Any]:
        """Return the fields of every request.

        Raises:
            RequestError: `params` has an unknown field, or one for which the task has a parameter.
        """
        fields = merged(
            self._params(self.params, "request_params"), self._own(self.max_tokens, self.system_prompt)
        )
        return merged(fields, answer_fields(self.output, self.backend))

    def requests(self, items: Iterable[Mapping[str, Any]], prefix: str) -> Iterator[dict[str, Any]]:
        """Yield one request after another. A request without settings of its own has no ``config``.

        Raises:
            RequestError: a request's own ``params`` are wrong, for the same reasons as in `defaults`.
        """
        for index, item in enumerate(items):
            request: dict[str, Any] = {"key": f"{prefix}-{index}", "contents": item["prompt"]}
            fields = self._own(item.get("max_tokens"), item.get("system_prompt"))
            if given := item.get("params"):
                try:
                    fields = merged(self._params(given, "params"), fields)
                except RequestError as error:
                    where = f"request {index + 1}"
                    raise error.at(where) from error
            if fields:
                request["config"] = fields
            yield request

    def _params(self, given: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
        fields = request_fields(given, self.backend)
        overridden = {"systemInstruction": "system_prompt", "maxOutputTokens": "max_tokens"}
        if self.output is not None:
            overridden |= dict.fromkeys(_ANSWER, "output_type")
        for field_name in (*fields, *fields.get("generationConfig", {})):
            if field_name in overridden:
                msg = f"{name} says {field_name}, which {overridden[field_name]} would override"
                raise RequestError(msg, f"Give {overridden[field_name]} instead.")
        return fields

    def _own(self, max_tokens: int | None, system_prompt: str | None) -> dict[str, Any]:
        return request_fields(
            {
                **({"maxOutputTokens": max_tokens} if max_tokens else {}),
                **({"systemInstruction": system_prompt} if system_prompt else {}),
            },
            self.backend,
        )


def answer_type(spec: Any) -> Any:
    """Return the type of the answers; None: text.

    Args:
        spec: common.ai's ``OutputSpec``. It wraps types that are not objects, but leaves definitions where their
            references do not find them. So this function wraps the type again.
    """
    if not spec.is_structured:
        return None
    if spec.wrapped:
        return create_model(spec.schema_name or "Output", response=(spec.output_type, ...))
    return spec.output_type


def answer_fields(output: Any, backend: Backend) -> dict[str, Any]:
    """Return the fields that request answers of a type.

    Raises:
        RequestError: the schema dialect of the service cannot express the type.
    """
    return {} if output is None else request_fields(ask_for(output, None), backend)


def index_of(key: str | None) -> int | None:
    """Return the index that `Wording.requests` wrote into a key; None for any other key."""
    _, _, digits = (key or "").rpartition("-")
    return int(digits) if digits.isascii() and digits.isdecimal() else None
