"""The steps that flows ask their driver for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Look:
    """Look at a job by name; answers a `BatchJob`."""

    name: str


@dataclass(frozen=True)
class Cancel:
    """Ask the service to cancel a job."""

    name: str


@dataclass(frozen=True)
class Find:
    """Look for the jobs of a task instance; answers a list of `BatchJob`, newest first."""


@dataclass(frozen=True)
class Place:
    """Put the input where the service reads it."""


@dataclass(frozen=True)
class Create:
    """Send the create call, once; answers a `BatchJob`."""
