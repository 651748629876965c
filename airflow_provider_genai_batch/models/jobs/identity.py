"""The identity of a job: its task instance, its requests and its round, which the service stores with the job.

It is the same on every machine and Python version: sha256 over canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_genai_batch.models.jobs.job import BatchJob

DISPLAY_NAME_LIMIT = 128
"""The most characters of a display name on Vertex AI."""
_SHORT = 16
_FAMILY = 10
"""Number of leading characters of a fingerprint that all parts of one input share."""
_TAG = re.compile(
    rf"([0-9a-f]{{{_SHORT}}}-[0-9a-f]{{{_FAMILY}}})[0-9a-f]{{{_SHORT - _FAMILY}}}-r([0-9]{{1,4}})"
)
_TOKENS = re.compile(r" ~([0-9]{1,15})t [^ ]+")
FALLBACK_ROUNDS = 1000
"""The rounds of a task's first fallback begin with this number, those of the second with its double, and so on."""
_LABELS = ("genai_batch_key", "genai_batch_fingerprint", "genai_batch_round")
_NOT_LABEL = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True)
class Identity:
    """One task instance's job of one round."""

    key: str
    """sha256 hex of DAG, task, run, map index and loop iteration, but not of the try number."""
    fingerprint: str
    """sha256 hex of everything that decides what is submitted and who is billed."""
    round: int = 0

    @property
    def tag(self) -> str:
        """The short form at the end of a display name."""
        return f"{self.key[:_SHORT]}-{self.fingerprint[:_SHORT]}-r{self.round}"

    def owns(self, job: BatchJob) -> bool:
        """Whether a job is this one, by its display name or labels or, if those are missing, by the file it reads."""
        reads = job.source.file_name if job.source else None
        return tag_of_job(job) == self.tag or reads == file_name(self.tag)

    def is_kin(self, job: BatchJob) -> bool:
        """Whether a job is of the same task instance, with any requests."""
        return tag_of_job(job).startswith(f"{self.key[:_SHORT]}-") or self.owns(job)

    def is_family(self, job: BatchJob) -> bool:
        """Whether a job has the same requests or a part of them, in any round."""
        return self.is_family_tag(tag_of_job(job)) or self.owns(job)

    @property
    def family(self) -> str:
        """The beginning of the tags of all jobs with the same requests or a part of them."""
        return f"{self.key[:_SHORT]}-{self.fingerprint[:_FAMILY]}"

    def is_family_tag(self, tag: str) -> bool:
        """Whether a tag is that of a job with the same requests or a part of them, in any round."""
        return tag.startswith(self.family)

    def piece(self, content: Any, round_: int) -> Identity:
        """Return the identity of a job with a part of the requests.

        Args:
            content: identifies that part; None: all requests, or all of a round.
            round_: the round; 0 is the first.
        """
        if content is None:
            return replace(self, round=round_)
        own = digest([self.fingerprint, content])
        return Identity(self.key, self.fingerprint[:_FAMILY] + own[_FAMILY:], round_)

    def display_name(self, readable: str, tokens: int | None = None, cost: str = "") -> str:
        """Return a readable name that ends with the tag.

        Args:
            readable: the beginning of the name.
            tokens: the job's estimated enqueued tokens, which are written before the tag; None: they are not written.
            cost: what the job may cost, see `models.jobs.stated_cost`, which is written before that; may be empty.
        """
        end = self.tag if tokens is None else f"~{tokens}t {self.tag}"
        end = f"{cost} {end}" if cost else end
        room = DISPLAY_NAME_LIMIT - len(end) - 1
        return f"{readable[:room].strip()} {end}"

    def labels(self) -> dict[str, str]:
        """Return the labels by which the job is found on Vertex AI; that of the task instance is the first.

        Each value begins with a letter, so that a filter takes it as text.
        """
        values = f"k{self.key[:_SHORT]}", f"f{self.fingerprint[:_SHORT]}", f"r{self.round}"
        return dict(zip(_LABELS, values, strict=True))


def tag_of_job(job: BatchJob) -> str:
    """Return the tag in a job's display name or, if it has none, the tag that follows from its labels."""
    tag = tag_of(job.display_name)
    labels = [job.labels.get(name, "") for name in _LABELS]
    if _TAG.fullmatch(tag) or not all(labels):
        return tag
    key, fingerprint, round_ = labels
    return f"{key[1:]}-{fingerprint[1:]}-{round_}"


def short_key(key: str) -> str:
    """Return the part of a task instance's key that is in the names of its jobs."""
    return key[:_SHORT]


def key_of_job(job: BatchJob) -> str:
    """Return the short key of a job's task instance; empty if this package did not create the job."""
    tag = tag_of_job(job)
    return tag[:_SHORT] if _TAG.fullmatch(tag) else ""


def tag_of(display_name: str | None) -> str:
    """Return the last word of a display name, which is the tag if this package created the job."""
    return (display_name or "").rpartition(" ")[2]


def tokens_of(display_name: str | None) -> int | None:
    """Return the enqueued tokens in a job's display name; None if it has none."""
    found = _TOKENS.search(display_name or "")
    return int(found[1]) if found and found.end() == len(display_name or "") else None


def round_of(display_name: str | None) -> int:
    """Return the round of a job, from 0; jobs that this package did not create are in round 0."""
    found = _TAG.fullmatch(tag_of(display_name))
    return int(found[2]) if found else 0


def fallback_of(round_: int) -> int:
    """Return the number of a round's fallback; 0: the round uses the task's own parameters."""
    return round_ // FALLBACK_ROUNDS


def rounds_of(numbers: Iterable[int]) -> int:
    """Return how many rounds there were, up to the last known one of the task's own and of each fallback."""
    last: dict[int, int] = {}
    for number in numbers:
        own = number % FALLBACK_ROUNDS
        last[fallback_of(number)] = max(own, last.get(fallback_of(number), own))
    return sum(1 + number for number in last.values())


def ask_of(display_name: str | None) -> str | None:
    """Return the text that identifies all jobs for one input, in all parts and rounds; None for jobs of others."""
    found = _TAG.fullmatch(tag_of(display_name))
    return found[1] if found else None


def file_name(tag: str) -> str:
    """Return the name of a job's input in the Files API, of at most 40 characters."""
    return f"files/in-{digest(tag)[:32]}"


def object_name(tag: str) -> str:
    """Return the name of a job's input below the staging place in Cloud Storage."""
    return f"{tag}.jsonl"


def task_key(dag_id: str, task_id: str, run_id: str, map_index: int, loop_index: int | None = None) -> str:
    """Return the key of a task instance.

    Args:
        dag_id: Airflow's id of the DAG.
        task_id: Airflow's id of the task.
        run_id: Airflow's id of the run.
        map_index: -1 if the task is not mapped.
        loop_index: the iteration of a Task Loop; nothing else both differs between its task instances and survives a
            retry or a clear. None outside of loops.
    """
    place = [dag_id, task_id, run_id, map_index]
    return digest(place if loop_index is None else [*place, loop_index])


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def as_label(text: str) -> str:
    """Make a label value: at most 63 characters of a-z, 0-9, ``_`` and ``-``."""
    return _NOT_LABEL.sub("-", text.lower())[:63].strip("-_")


def merge_labels(*groups: Mapping[str, str]) -> dict[str, str]:
    """Join labels; later groups win."""
    return {name: value for group in groups for name, value in group.items() if value}
