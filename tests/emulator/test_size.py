"""Size: many rows, many jobs, and memory that does not grow with them."""

from __future__ import annotations

import dataclasses
import resource
import time
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from tests.emulator.talk import Gemini, keyed, lines

ROWS = 50_000


def test_fifty_thousand_rows_pass_in_seconds(api: Gemini):
    data = lines(keyed(ROWS))
    began = time.monotonic()
    ended = api.ended(api.from_file(api.upload(data))["name"])
    with api.http.stream("GET", f"/v1beta/{ended['response']['responsesFile']}:download?alt=media") as reply:
        count = sum(chunk.count(b"\n") for chunk in reply.iter_raw())
    assert count == ROWS
    assert time.monotonic() - began < 20


def test_an_upload_is_not_held_in_memory():
    chunk = b"x" * (8 << 20)
    with Emulator() as emulator, Gemini(emulator.url) as api:
        url = api.start(25 * len(chunk))
        api.send(url, chunk, last=False)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(1, 25):
            api.send(url, chunk, number * len(chunk), last=number == 24)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000


def test_thousands_of_jobs_are_listed_quickly():
    with Emulator(lifecycle=Lifecycle.timed(pending=3600)) as emulator, Gemini(emulator.url) as api:
        first = emulator._world.jobs[api.inline("a")["name"]]
        for number in range(2000):
            # Straight into its memory: two thousand creates would only test patience.
            made = dataclasses.replace(first, name=f"batches/{number}", created_ns=emulator._world.tick())
            emulator._world.add_job(made)
        began = time.monotonic()
        names: set[str] = set()
        token = ""
        while True:
            page: dict[str, Any] = api.list(pageSize="100", pageToken=token)
            names |= {one["name"] for one in page.get("operations", [])}
            token = page.get("nextPageToken", "")
            if not token:
                break
        assert len(names) == 2001
        assert time.monotonic() - began < 5
