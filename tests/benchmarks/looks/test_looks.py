"""What waiting costs is measured: small, without peers; and the service that is looked at is one that can be read."""

from __future__ import annotations

import itertools
import json

from tests.benchmarks.looks.jobs import Jobs
from tests.benchmarks.looks.run import Window, measure
from tests.benchmarks.looks.server import serving


def test_few_jobs_among_those_of_others_tell_what_they_cost() -> None:
    with serving() as service:
        figures = measure(service, "ours", 12, Window(looks=1, seconds=1), others=2)
    assert figures.jobs == 12
    assert figures.cpu > 0
    assert 0 < figures.requests <= 1
    assert figures.connections >= 1
    assert figures.end_requests >= 1, "an end is confirmed by name"


def test_the_list_is_newest_first_in_pages_and_counts_those_that_are_watched() -> None:
    jobs = Jobs(130, 1, lambda: 0.0)
    pages, token = [], ""
    for _ in itertools.count():
        pages.append(json.loads(jobs.list(1000, token, "operations(name,metadata(state)),nextPageToken")))
        token = pages[-1].get("nextPageToken", "")
        if not token:
            break
    names = [job["name"] for page in pages for job in page["operations"]]
    assert [len(page["operations"]) for page in pages] == [100, 100, 62]
    assert names == sorted(names, reverse=True)
    assert set(pages[0]["operations"][0]) == {"name", "metadata"}
    assert set(pages[0]["operations"][0]["metadata"]) == {"state"}
    assert jobs.counts["looks"] == 130, "neither those of others nor the one that has ended"


def test_jobs_end_when_they_are_told_to() -> None:
    now = [0.0]
    jobs = Jobs(3, 0, lambda: now[0])
    jobs.end_all(10)
    assert "done" not in json.loads(jobs.get(3, ""))
    now[0] = 11
    job = json.loads(jobs.get(3, "done,metadata(state)"))
    assert job == {"done": True, "metadata": {"state": "BATCH_STATE_SUCCEEDED"}}
    assert json.loads(jobs.openai(3))["status"] == "completed"
