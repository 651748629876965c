"""Records of jobs, files and uploads: plain values, so that they can be saved as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from airflow_provider_genai_batch.emulator.jobs.lifecycle import Lifecycle
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jobs.states import ENDED
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject


@dataclass
class Counts:
    """The rows of a job; ``None``: not counted yet."""

    total: int | None = None
    succeeded: int = 0
    failed: int = 0

    @property
    def pending(self) -> int:
        """The number of rows without a result."""
        return max(0, (self.total or 0) - self.succeeded - self.failed)


@dataclass
class Job:
    """One job of either service. ``state`` has no prefix; times are in nanoseconds."""

    name: str
    backend: str
    kind: str
    model: str
    display_name: str
    created_ns: int
    resource: JsonObject
    source: JsonObject
    script: JobScript = field(default_factory=JobScript)
    lifecycle: Lifecycle = field(default_factory=Lifecycle.at_once)
    seq: int = 0
    state: str = "PENDING"
    looks: int = 0
    list_misses: int = 0
    get_misses: int = 0
    reads: int = 0
    started_ns: int | None = None
    updated_ns: int = 0
    ended_ns: int | None = None
    cancelled_at_look: int | None = None
    forced: str | None = None
    counts: Counts = field(default_factory=Counts)
    error: JsonObject | None = None
    output: JsonObject | None = None
    deleted: bool = False

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.ended_ns is not None or self.state in ENDED

    @property
    def live(self) -> bool:
        """Whether the job exists and may still cause costs."""
        return not self.ended and not self.deleted


@dataclass
class StoredFile:
    """One file of the Files API."""

    name: str
    mime_type: str
    size: int
    created_ns: int
    blob: str
    display_name: str = ""
    sha256: str = ""
    job: str | None = None
    seq: int = 0


@dataclass
class Upload:
    """One upload by the resumable protocol, running or ended."""

    id: str
    declared: int | None
    mime_type: str
    wanted_name: str | None
    display_name: str
    received: int = 0
    status: str = "active"
    file: str | None = None


Record = TypeVar("Record", Job, StoredFile, Upload)


def to_json(record: Job | StoredFile | Upload) -> JsonObject:
    """Return a record as JSON values."""
    if isinstance(record, Job):
        result = {one.name: getattr(record, one.name) for one in fields(record)}
        result["script"] = record.script.to_json()
        result["lifecycle"] = record.lifecycle.to_json()
        result["counts"] = asdict(record.counts)
        return result
    return asdict(record)


def from_json(kind: type[Record], obj: dict[str, Any]) -> Record:
    """Read the JSON of ``to_json``."""
    values = dict(obj)
    if kind is Job:
        values["script"] = JobScript.from_json(values["script"])
        values["lifecycle"] = Lifecycle(**values["lifecycle"])
        values["counts"] = Counts(**values["counts"])
    return kind(**values)
