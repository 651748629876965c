"""List pages: newest first, with opaque tokens and the irregularities of real lists."""

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
    """One page of jobs, and the token of the next page."""

    jobs: list[Job]
    token: str


def page_size(text: str | None, default: int, largest: int) -> int:
    """Read pageSize. A value that is too large is lowered silently, as Google's services do.

    Raises:
        ApiError: 400 unless the value is a whole number that is not negative.
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
        keep: Returns whether the caller may see a job and asks for it.
        size: The most jobs on the page.
        token: The token of this page; empty for the first.
        fault: The kind of the call's fault: ``oldest_first`` reverses the order, ``same_token`` repeats the page.
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
    # It is not checked whether the rest contains a wanted job, so the last page may be empty.
    return Page(jobs, _token(at, empty=False) if at >= 0 else "")


def _token(place: int, *, empty: bool) -> str:
    # Contains "/" and ends in "=", as real tokens may, so callers must quote it.
    return base64.b64encode(b"\xff\xff\xff" + f"{place}:{int(empty)}".encode().ljust(14)).decode()


def _read(token: str) -> tuple[int, bool]:
    try:
        place, _, empty = base64.b64decode(token, validate=True)[3:].decode().strip().partition(":")
        return int(place), empty == "1"
    except (binascii.Error, ValueError) as problem:
        raise ApiError(400, "Invalid page token.") from problem
