"""Resource names. Replies contain project numbers, even if the caller used a project id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_DIGITS = 10**12


@dataclass(frozen=True)
class Parent:
    """A project and a location."""

    project: str
    location: str

    def __str__(self) -> str:
        """Return the parent's resource name, with the project's number."""
        return f"projects/{project_number(self.project)}/locations/{self.location}"


def project_number(project: str) -> str:
    """Return a project's number; for an id, a number that depends only on the id."""
    if project.isdigit():
        return project
    digest = hashlib.sha256(project.encode()).digest()
    return str(10**11 + int.from_bytes(digest[:8], "big") % (_DIGITS - 10**11))
