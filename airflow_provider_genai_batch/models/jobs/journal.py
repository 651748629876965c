"""Names for immediate calls: a journal keeps their answers, and the rows of each writer land like those of a job."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_provider_genai_batch.models.tier import Tier

_PREFIX = "online/"
_FOLDER = "_journal-"
_WRITER = re.compile(r"(flex|standard)-([0-9]{10})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Writer:
    """An attempt that sent the requests of a round as immediate calls.

    Attributes:
        tag: `Identity.tag` of the round.
        name: the tier, the time when it began, and a mark that makes it unique in that second.
    """

    tag: str
    name: str

    @classmethod
    def new(cls, tag: str, tier: Tier, now: float, mark: str) -> Writer:
        """Make a writer.

        Args:
            tag: the tag of the round.
            tier: the tier of its calls.
            now: the time in seconds since the epoch.
            mark: eight unique hexadecimal digits.
        """
        return cls(tag, f"{tier.value}-{int(now):010d}-{mark}")

    @classmethod
    def of(cls, job_name: str) -> Writer:
        """Return the writer with this job name."""
        tag, _, name = job_name.removeprefix(_PREFIX).partition("/")
        return cls(tag, name)

    @property
    def job_name(self) -> str:
        """The name that its answers have in place of a job's name."""
        return f"{_PREFIX}{self.tag}/{self.name}"

    @property
    def tier(self) -> Tier:
        """The tier of its calls."""
        found = _WRITER.fullmatch(self.name)
        return Tier(found[1]) if found else Tier.STANDARD

    @property
    def begun(self) -> datetime | None:
        """The time when it began; None if its name does not have it."""
        found = _WRITER.fullmatch(self.name)
        return datetime.fromtimestamp(int(found[2]), timezone.utc) if found else None


def folder_beside(results_uri: str, tag: str) -> str:
    """Return the address of a round's journal, beside the rows of its task."""
    place, slash, _ = results_uri.rpartition("/")
    return f"{place}{slash}{_FOLDER}{tag}"


def is_journal(address: str) -> bool:
    """Whether an address is that of a journal."""
    return address.rpartition("/")[2].startswith(_FOLDER)


def is_journaled(job_name: str) -> bool:
    """Whether a name is that of answers in a journal, and not of a job at the service."""
    return job_name.startswith(_PREFIX)


def at_the_service(job_names: list[str]) -> list[str]:
    """Return the names of jobs at the service."""
    return [name for name in job_names if not is_journaled(name)]
