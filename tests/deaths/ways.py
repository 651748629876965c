"""The ways of asking that are looked at, and what each comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from airflow_provider_genai_batch.models import Pilot
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy

ROWS = 10
HOURS = 6.0
MODEL = "gemini-2.5-flash"
Rows = Sequence[Mapping[str, Any]]


def rows(*names: int, first: int = 0) -> list[dict[str, Any]]:
    """Return requests with keys from `first` on."""
    return [{"key": f"k{first + place}", "contents": f"Say {name}"} for place, name in enumerate(names)]


@dataclass(frozen=True)
class Way:
    """One way of asking.

    Attributes:
        name: as the page has it.
        backend: ``gemini`` or ``vertex``.
        settings: of the operator, but for what depends on the place.
        scripts: of its jobs, in their order.
        src: what is asked.
        night_before: what the night before has asked, whose results are used again.
        hours: from the begin to the moment when the rows are to be ready.
        at_once: some requests are asked without a job, so that calls under way are lost with a process.
        others: the service of each other connection, by name.
        table: the requests are rows of a table in BigQuery, and so are the answers.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "gemini"
    scripts: Sequence[JobScript] = ()
    src: Rows = field(default_factory=lambda: rows(*range(ROWS)))
    night_before: Rows = ()
    hours: float | None = None
    at_once: bool = False
    table: bool = False
    others: Mapping[str, str] = field(default_factory=dict)

    def settings_at(self, now: float) -> dict[str, Any]:
        """Return the settings for a run that begins now."""
        found = {"model": MODEL, "poll_interval": 60, **self.settings}
        if self.hours is not None:
            at = datetime.fromtimestamp(now + self.hours * 3600, timezone.utc)
            found |= {"ready_by": ReadyBy(at), "poll_interval": 600}
        return found

    @property
    def asked(self) -> Counter[str]:
        """How often each text has to be asked: not if it was before, once if equal requests are asked once."""
        before = {row["contents"] for row in self.night_before}
        texts = [row["contents"] for row in self.src if row["contents"] not in before]
        return Counter({*texts} if self.settings.get("dedupe") else texts)


_UNLUCKY = JobScript(row_errors=dict.fromkeys(range(4), 13))
_STUCK = JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5, cancel_looks=2)
_QUEUED = JobScript(lifecycle=Lifecycle.stuck(), cancel_looks=2)
_IMPATIENT = {"pending_timeout": 1800.0, "max_requests_per_job": 5}
_TONIGHT = rows(*range(3, 3 + ROWS), 20, 20, 21, first=50)

WAYS = {
    one.name: one
    for one in (
        Way('`tier="standard"`, Gemini', {"tier": "standard"}, at_once=True),
        Way('`tier="standard"`, Vertex AI', {"tier": "standard"}, "vertex", at_once=True),
        Way("`online_below`", {"online_below": 100}, at_once=True),
        Way(
            "`retry_tier`",
            {"retry_failed_rows": 1, "retry_tier": "standard"},
            scripts=[_UNLUCKY],
            at_once=True,
        ),
        Way("`ready_by`, in place", scripts=[_STUCK], hours=HOURS, at_once=True),
        Way(
            "`ready_by`, deferred, Vertex AI",
            {"deferrable": True},
            "vertex",
            [_STUCK],
            hours=HOURS,
            at_once=True,
        ),
        Way("`pilot` by immediate calls", {"pilot": 4}, at_once=True),
        Way("`pilot` in a job", {"pilot": Pilot(4, tier="batch"), "deferrable": True}),
        Way(
            "`reuse` and `dedupe`",
            {"reuse": True, "dedupe": True, "max_requests_per_job": 2},
            src=_TONIGHT,
            night_before=rows(*range(ROWS)),
        ),
        Way(
            "`reuse` and `dedupe`, deferred, Vertex AI",
            {"reuse": True, "dedupe": True, "deferrable": True},
            "vertex",
            src=_TONIGHT,
            night_before=rows(*range(ROWS)),
        ),
        Way(
            "`reuse`, and the rest by immediate calls",
            {"reuse": True, "dedupe": True, "tier": "standard"},
            src=_TONIGHT,
            night_before=rows(*range(ROWS)),
            at_once=True,
        ),
        Way(
            "`fallbacks`, another model",
            {**_IMPATIENT, "fallbacks": [{"model": f"{MODEL}-lite"}]},
            scripts=[JobScript(), _QUEUED],
        ),
        Way(
            "`fallbacks`, another service, deferred",
            {**_IMPATIENT, "fallbacks": [{"conn_id": "vertex"}], "deferrable": True},
            scripts=[JobScript(), _QUEUED],
            others={"vertex": "vertex"},
        ),
        Way(
            "`fallbacks`, immediate calls in the end",
            {**_IMPATIENT, "fallbacks": [{"model": f"{MODEL}-lite"}, "standard"]},
            scripts=[_QUEUED, _QUEUED, _QUEUED],
            at_once=True,
        ),
        Way(
            "a table of BigQuery",
            {"prompt": "{text}", "key": "id", "retry_failed_rows": 1},
            "vertex",
            [JobScript(row_errors={"k1": 13})],
            table=True,
        ),
        Way(
            "`reuse` and `dedupe` over a table of BigQuery, deferred",
            {"prompt": "{text}", "key": "id", "reuse": True, "dedupe": True, "deferrable": True},
            "vertex",
            src=_TONIGHT,
            night_before=rows(*range(ROWS)),
            table=True,
        ),
        Way(
            "`pilot` in a job, over a table of BigQuery",
            {"prompt": "{text}", "key": "id", "pilot": Pilot(4, tier="batch"), "dedupe": True},
            "vertex",
            src=_TONIGHT,
            table=True,
        ),
        Way(
            "`pilot` by immediate calls, over a table of BigQuery, deferred",
            {"prompt": "{text}", "key": "id", "pilot": 4, "dedupe": True, "deferrable": True},
            "vertex",
            src=_TONIGHT,
            table=True,
            at_once=True,
        ),
    )
}
"""By name."""
