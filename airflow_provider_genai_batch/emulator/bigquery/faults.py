"""Failures of calls to the stand-in for BigQuery, queued by a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATH = "/_emulator/faults"
"""POST queues a fault, DELETE removes all, GET lists those that are left."""
CALLS = {
    "jobs.insert": ("POST", "/jobs"),
    "jobs.get": ("GET", "/jobs/"),
    "jobs.query": ("POST", "/queries"),
    "jobs.getQueryResults": ("GET", "/queries/"),
    "datasets.get": ("GET", "/datasets/"),
    "tables.get": ("GET", "/tables/"),
}


@dataclass
class Fault:
    """One failing call, or several.

    Attributes:
        call: Google's name of the method.
        status: HTTP status of the answer.
        reason: BigQuery's reason code.
        message: Text for people.
        naming: Text that must be in the address or the body; empty matches any call.
        times: How often; 0 means always.
        acted: Whether the call is carried out before the error is answered.
    """

    call: str
    status: int
    reason: str
    message: str
    naming: str = ""
    times: int = 1
    acted: bool = False

    def meets(self, method: str, path: str, body: str) -> bool:
        """Return whether the fault applies to a call."""
        verb, part = CALLS[self.call]
        there = path.endswith(part) if not part.endswith("/") else part in path
        if self.call == "datasets.get" and "/tables" in path:
            return False
        return method == verb and there and self.naming in path + body


class Faults:
    """Faults in the order in which they were queued."""

    def __init__(self) -> None:
        """Begin without faults."""
        self.left: list[Fault] = []

    def take(self, method: str, path: str, body: str) -> Fault | None:
        """Return the first fault that applies to a call, and use it up unless it applies always."""
        for fault in self.left:
            if fault.meets(method, path, body):
                if fault.times == 1:
                    self.left.remove(fault)
                elif fault.times:
                    fault.times -= 1
                return fault
        return None

    def answer(self, method: str, body: dict[str, Any], spell: Callable[[Fault], Any]) -> Any:
        """Carry out a call of `PATH`.

        Args:
            method: The HTTP method.
            body: With POST, the attributes of a fault.
            spell: Converts a fault for the answer.
        """
        if method == "POST":
            self.left.append(Fault(**body))
        elif method == "DELETE":
            self.left.clear()
        return {"faults": [spell(fault) for fault in self.left]}
