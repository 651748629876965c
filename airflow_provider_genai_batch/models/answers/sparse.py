"""The base class of values whose empty fields are not written."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from airflow_provider_genai_batch.models.base import Noun


class Sparse(Noun):
    """A value that is written without its empty fields."""

    _always: ClassVar[frozenset[str]] = frozenset()
    """Names of fields that are always written."""

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value is not None or name in self._always}
