"""Scripts, by which a test decides what happens to a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from airflow_provider_genai_batch.emulator.jobs.lifecycle import Lifecycle
from airflow_provider_genai_batch.emulator.jobs.states import bare
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

RowName: TypeAlias = str | int
"""A row's key, or its index."""

_BY_ROW = ("row_errors", "finish_reasons", "content", "candidates", "members", "answers", "parts")
_CHOICES: Mapping[str, tuple[str | None, ...]] = {
    "foreign_lines": (None, "import", "row"),
    "response_type": ("STRING", "JSON"),
    "row_form": (None, "2025-12", "2026-05"),
    "embedding_usage": (None, "tokenCount", "usageMetadata"),
}
_ROWS = ("missing", "duplicated", "blocked")


@dataclass(frozen=True)
class JobScript:
    """What happens to one job; the docstring of the package explains every field."""

    lifecycle: Lifecycle | None = None
    states: Sequence[str] = ()
    end: str = "SUCCEEDED"
    error: JsonObject | None = None

    row_errors: Mapping[RowName, Any] = field(default_factory=dict)
    failing_fraction: float = 0.0
    failing_error: Any = 13
    seed: int = 0
    all_rows_fail: Any = None
    missing: Sequence[RowName] = ()
    duplicated: Sequence[RowName] = ()
    unknown_keys: Sequence[str] = ()
    shuffle: bool | None = None
    drop_metadata: bool | Sequence[RowName] = False
    blocked: Sequence[RowName] = ()
    finish_reasons: Mapping[RowName, str] = field(default_factory=dict)
    content: Mapping[RowName, bool] = field(default_factory=dict)
    candidates: Mapping[RowName, Sequence[str]] = field(default_factory=dict)
    members: Mapping[RowName, JsonObject] = field(default_factory=dict)
    answers: Mapping[RowName, Any] = field(default_factory=dict)
    parts: Mapping[RowName, Sequence[JsonObject]] = field(default_factory=dict)
    media_bytes: int = 0
    foreign_lines: str | None = None
    siblings: bool = False
    status_column: bool = False
    envelope: bool = False
    response_type: str = "STRING"
    embedding_usage: str | None = None
    row_form: str | None = None
    served: float | None = None

    late_output: int = 0
    late_seconds: float = 0.0
    inline_results: bool = False
    bare_list: bool = False
    stale_counters: bool = False
    lagging_counters: float = 0.0
    list_lag: int = 0
    list_lag_seconds: float = 0.0
    get_lag: int = 0
    get_lag_seconds: float = 0.0
    stale_entries: bool = False
    large_results: bool = False
    inline_limit: int | None = None
    empty_page: bool = False

    cancel_looks: int | None = None
    cancel_ignored: bool = False

    shards: int = 1
    shard_looks: int = 0
    shard_seconds: float = 0.0
    failed_row_response: str = "empty"
    status_object: bool = False
    extra_objects: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Convert states to their form without prefix, and row names to text; refuse impossible values.

        Raises:
            ValueError: A fraction is not between 0 and 1, there is no shard, or a choice is unknown.
        """
        put = object.__setattr__
        put(self, "end", bare(self.end))
        put(self, "states", tuple(bare(state) for state in self.states))
        for name in _BY_ROW:
            put(self, name, {row_name(row): value for row, value in getattr(self, name).items()})
        for name in _ROWS:
            put(self, name, tuple(row_name(row) for row in getattr(self, name)))
        if not isinstance(self.drop_metadata, bool):
            put(self, "drop_metadata", tuple(row_name(row) for row in self.drop_metadata))
        fractions = (self.failing_fraction, self.served or 0, self.lagging_counters)
        if not all(0 <= fraction <= 1 for fraction in fractions):
            message = "failing_fraction, served and lagging_counters lie between 0 and 1"
            raise ValueError(message)
        if self.shards < 1 or self.failed_row_response not in {"empty", "absent"}:
            message = "shards is at least 1, failed_row_response is 'empty' or 'absent'"
            raise ValueError(message)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                message = f"{name} is one of {', '.join(map(repr, allowed))}"
                raise ValueError(message)
        if self.media_bytes < 0 or (self.inline_limit or 0) < 0:
            message = "media_bytes and inline_limit are numbers of bytes"
            raise ValueError(message)
        if self.shards == 1 and (self.shard_looks or self.shard_seconds):
            message = "shard_looks and shard_seconds say when the second shard comes: shards is at least 2"
            raise ValueError(message)

    def to_json(self) -> JsonObject:
        """Return the fields that differ from the defaults."""
        default = _DEFAULT
        result = {one.name: getattr(self, one.name) for one in fields(self)}
        result = {name: value for name, value in result.items() if value != getattr(default, name)}
        if self.lifecycle is not None:
            result["lifecycle"] = self.lifecycle.to_json()
        return result

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> JobScript:
        """Read the JSON of ``to_json``.

        Raises:
            ValueError: A field is unknown, or a value is impossible.
        """
        unknown = set(obj) - {one.name for one in fields(cls)}
        if unknown:
            message = f"JobScript has no field {', '.join(sorted(unknown))}"
            raise ValueError(message)
        values = dict(obj)
        if isinstance(values.get("lifecycle"), Mapping):
            try:
                values["lifecycle"] = Lifecycle(**values["lifecycle"])
            except TypeError as problem:
                raise ValueError(str(problem)) from problem
        return cls(**values)


def row_name(row: RowName) -> str:
    """Return a key unchanged, and an index as ``#3``."""
    return f"#{row}" if isinstance(row, int) else row


_DEFAULT = JobScript()
