"""The quick look: most lines are right as they are and need no more of them read than the key.

Validating JSON against a schema that keeps nothing but the key takes half the time of reading it into Python.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import SchemaValidator, ValidationError, core_schema

from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS

Glance = Callable[[bytes], str | None]
"""Returns the key of a line that is certainly right, None for one to be looked at."""


def always_look(line: bytes) -> None:
    """Call for a closer look at every line."""


def glance_at(task: Task) -> Glance:
    """Return the quick look for lines ``{"key": …, "request": {…}}`` that go to Gemini."""
    return _GLANCES[task]


def _glance(prompt: str, schema: core_schema.CoreSchema) -> Glance:
    absent = core_schema.typed_dict_field(core_schema.none_schema(), required=False)
    request = core_schema.typed_dict_schema(
        {prompt: core_schema.typed_dict_field(schema), "config": absent}, extra_behavior="ignore"
    )
    key = core_schema.str_schema(min_length=1, max_length=MAX_KEY_CHARACTERS, strict=True)
    row = core_schema.typed_dict_schema(
        {"key": core_schema.typed_dict_field(key), "request": core_schema.typed_dict_field(request)},
        extra_behavior="forbid",
    )
    validate = SchemaValidator(row).validate_json

    def look(line: bytes) -> str | None:
        try:
            found: str = validate(line)["key"]
        except ValidationError:
            return None
        return found

    return look


_ANYTHING = core_schema.typed_dict_schema({}, extra_behavior="ignore")
_PARTS = core_schema.typed_dict_schema(
    {"parts": core_schema.typed_dict_field(core_schema.any_schema())}, extra_behavior="ignore"
)
_GLANCES = {
    Task.GENERATE: _glance("contents", core_schema.list_schema(_ANYTHING, min_length=1)),
    Task.EMBED: _glance("content", _PARTS),
}
