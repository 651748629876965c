"""List pages: newest first, opaque tokens, and the untidy things lists do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_genai_batch.emulator.calls.lag import as_listed, is_listed, misses_in_lists
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.world import World


@dataclass(frozen=True)
class Page:
    """One page of jobs, and the token of the next."""

    jobs: list[Job]
    token: str


def page_size(text: str | None, default: int, largest: int) -> int:
    """Read pageSize; too large a value is lowered silently, as Google's services do.

    Raises:
        ApiError: 400 for anything but a whole number that is not negative.
    """
    if text is None or text == "":
        return default
    try:
        number = int(text)
    except ValueError as problem:
        message = f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\""
        raise ApiError(400, message) from problem
    if number < 0:
        raise ApiError(400, "page_size must not be negative.")
    return min(number or default, largest)


def job_page(
    world: World, keep: Callable[[Job], bool], size: int, token: str | None, fault: str = ""
) -> Page:
    """Return a page of jobs, newest first.

    Args:
        world: Where the jobs are.
        keep: Which jobs the caller may see and asks for.
        size: Most jobs on the page.
        token: Token of this page; empty for the first.
        fault: Kind of what befalls the call: ``oldest_first`` turns the order, ``same_token`` leads in circles.
    """
    place, was_empty = _read(token) if token else (None, False)
    with world.lock:
        order = world.order[::-1] if fault == "oldest_first" else world.order
        at = len(order) - 1 if place is None else min(place, len(order) - 1)
        jobs: list[Job] = []
        start = at
        while at >= 0 and len(jobs) < size:
            job = order[at]
            at -= 1
            if is_listed(job) and keep(as_listed(job)) and not misses_in_lists(world, job):
                jobs.append(job)
        if any(job.script.empty_page for job in jobs) and not was_empty:
            return Page([], _token(start, empty=True))
    if fault == "same_token":
        return Page(jobs, _token(start, empty=was_empty))
    # Whether the rest holds anything the caller asks for is not looked up: a last page may be empty.
    return Page(jobs, _token(at, empty=False) if at >= 0 else "")


def _token(place: int, *, empty: bool) -> str:
    # Holds "/" and ends in "=", as real tokens may: callers must quote it.
    return base64.b64encode(b"\xff\xff\xff" + f"{place}:{int(empty)}".encode().ljust(14)).decode()


def _read(token: str) -> tuple[int, bool]:
    try:
        place, _, empty = base64.b64decode(token, validate=True)[3:].decode().strip().partition(":")
        return int(place), empty == "1"
    except (binascii.Error, ValueError) as problem:
        raise ApiError(400, "Invalid page token.") from problem
