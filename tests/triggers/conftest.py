"""The ways in which looks are answered; what comes of them is the same."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.client.polling import poller

WAYS = {"one by one": 10**9, "from the list": 1, "as it pays": poller.PAGE_COSTS}


@pytest.fixture(params=WAYS)
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have a page of the list pay always, never, or as in earnest."""
    monkeypatch.setattr(poller, "PAGE_COSTS", WAYS[request.param])
    way: str = request.param
    return way
