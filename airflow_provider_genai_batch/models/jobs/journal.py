"""The names of what was asked at once: a journal keeps the answers, and each writer is landed as if it were a job."""

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
    """An attempt that asked a round at once.

    Attributes:
        tag: `Identity.tag` of the round.
        name: the tier that it asked for, when it began, and what tells it from others of that second.
    """

    tag: str
    name: str

    @classmethod
    def new(cls, tag: str, tier: Tier, now: float, mark: str) -> Writer:
        """Make one.

        Args:
            tag: of the round.
            tier: in which it asks.
            now: seconds since the epoch.
            mark: eight hexadecimal digits that nobody else has.
        """
        return cls(tag, f"{tier.value}-{int(now):010d}-{mark}")

    @classmethod
    def of(cls, job_name: str) -> Writer:
        """Read it from the name of its job."""
        tag, _, name = job_name.removeprefix(_PREFIX).partition("/")
        return cls(tag, name)

    @property
    def job_name(self) -> str:
        """What the landing calls its answers."""
        return f"{_PREFIX}{self.tag}/{self.name}"

    @property
    def tier(self) -> Tier:
        """In which tier it asked."""
        found = _WRITER.fullmatch(self.name)
        return Tier(found[1]) if found else Tier.STANDARD

    @property
    def begun(self) -> datetime | None:
        """When it began; None: its name does not say."""
        found = _WRITER.fullmatch(self.name)
        return datetime.fromtimestamp(int(found[2]), timezone.utc) if found else None


def folder_beside(results_uri: str, tag: str) -> str:
    """Return the address of a round's journal, beside the rows of its task."""
    place, slash, _ = results_uri.rpartition("/")
    return f"{place}{slash}{_FOLDER}{tag}"


def is_journal(address: str) -> bool:
    """Whether an address is of a journal."""
    return address.rpartition("/")[2].startswith(_FOLDER)


def is_journaled(job_name: str) -> bool:
    """Whether a name is of answers in a journal, and of no job at the service."""
    return job_name.startswith(_PREFIX)


def at_the_service(job_names: list[str]) -> list[str]:
    """Return the names that the service knows."""
    return [name for name in job_names if not is_journaled(name)]
