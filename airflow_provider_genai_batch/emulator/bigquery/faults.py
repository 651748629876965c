"""Things that go wrong with calls of the stand-in for BigQuery, queued by whoever tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATH = "/_emulator/faults"
"""POST queues one, DELETE forgets them all, GET lists those that are left."""
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
    """One call, or several, that end badly.

    Attributes:
        call: Google's name of the method.
        status: What is answered.
        reason: BigQuery's word for it.
        message: Text for people.
        naming: Text that has to be in the address or the body; empty meets any call.
        times: How often; 0 is always.
        acted: Whether the call is carried out before it is answered so.
    """

    call: str
    status: int
    reason: str
    message: str
    naming: str = ""
    times: int = 1
    acted: bool = False

    def meets(self, method: str, path: str, body: str) -> bool:
        """Tell whether it is this call's."""
        verb, part = CALLS[self.call]
        there = path.endswith(part) if not part.endswith("/") else part in path
        if self.call == "datasets.get" and "/tables" in path:
            return False
        return method == verb and there and self.naming in path + body


class Faults:
    """Faults in the order in which they were queued."""

    def __init__(self) -> None:
        """Begin with none."""
        self.left: list[Fault] = []

    def take(self, method: str, path: str, body: str) -> Fault | None:
        """Return the first one that meets a call; it is used up unless it is for always."""
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
            method: HTTP's.
            body: A fault's attributes, with POST.
            spell: Makes a fault part of the answer.
        """
        if method == "POST":
            self.left.append(Fault(**body))
        elif method == "DELETE":
            self.left.clear()
        return {"faults": [spell(fault) for fault in self.left]}
