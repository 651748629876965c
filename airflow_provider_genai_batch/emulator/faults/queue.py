"""The queue of faults, checked when one is added and again when a test ends."""

from __future__ import annotations

import asyncio
import itertools
import threading

from airflow_provider_genai_batch.emulator.faults.fault import UPLOAD_KINDS, Fault


class Ticket:
    """A queued fault, for the test that queued it."""

    def __init__(self, number: int, method: str, fault: Fault) -> None:
        """Hold a fault and how often it is left."""
        self.id = number
        self.method = method
        self.fault = fault
        self.left = fault.times
        self._held = threading.Event()
        self._released = threading.Event()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()

    def __str__(self) -> str:
        """Describe the fault for an assertion."""
        return f"{self.fault.kind} for {self.method} ({self.left} of {self.fault.times} left)"

    def wait_held(self, timeout: float = 120) -> bool:
        """Wait until a call is held by this fault.

        Args:
            timeout: Seconds.
        """
        return self._held.wait(timeout)

    def release(self) -> None:
        """Let all calls continue that this fault holds or will hold."""
        with self._lock:
            self._released.set()
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            loop.call_soon_threadsafe(event.set)

    async def pause(self) -> None:
        """Hold the calling request until released."""
        event = asyncio.Event()
        with self._lock:
            if self._released.is_set():
                event.set()
            else:
                self._waiters.append((asyncio.get_running_loop(), event))
        self._held.set()
        await event.wait()


class Faults:
    """Faults waiting for their calls."""

    def __init__(self) -> None:
        """Begin without faults."""
        self._tickets: list[Ticket] = []
        self._taken: list[Ticket] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, method: str, fault: Fault) -> Ticket:
        """Queue a fault for the next calls of a method.

        Raises:
            ValueError: The method is unknown, or the fault cannot happen to it.
        """
        fault.check(method)
        ticket = Ticket(next(self._numbers), method, fault)
        with self._lock:
            self._tickets.append(ticket)
        return ticket

    def take(
        self, method: str, path: str, upload_command: str = "", *, filtered: bool = False
    ) -> Ticket | None:
        """Return the first fault for this call, and use it up once.

        Args:
            method: The method id.
            path: The path of the request.
            upload_command: The value of X-Goog-Upload-Command; some faults apply only to bytes or to the last bytes.
            filtered: Whether the call has a filter; one kind of fault applies only then.
        """
        with self._lock:
            for ticket in self._tickets:
                fault = ticket.fault
                if ticket.method != method or not ticket.left or fault.path not in path:
                    continue
                if fault.kind in UPLOAD_KINDS and "upload" not in upload_command:
                    continue
                if fault.kind == "ignored_filter" and not filtered:
                    continue
                if fault.kind == "lost_final_reply" and "finalize" not in upload_command:
                    continue
                ticket.left -= 1
                if not ticket.left:
                    self._tickets.remove(ticket)
                    self._taken.append(ticket)
                return ticket
        return None

    @property
    def unspent(self) -> list[Ticket]:
        """Faults still waiting for a call."""
        with self._lock:
            return list(self._tickets)

    def find(self, number: int) -> Ticket | None:
        """Return a ticket by its number, used up or not."""
        with self._lock:
            return next((one for one in (*self._tickets, *self._taken) if one.id == number), None)

    def clear(self) -> None:
        """Remove all faults, and let the held calls continue."""
        with self._lock:
            tickets = [*self._tickets, *self._taken]
            self._tickets.clear()
            self._taken.clear()
        for ticket in tickets:
            ticket.release()
