"""The page that tells what the matrix found."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from statistics import median

from tests.crash.groups import PHASES
from tests.crash.outcome import Outcome

_TITLES = {
    "task": "The task's process dies",
    "worker": "The worker dies: the supervisor and the task's process",
    "supervisor": "The supervisor dies, the task's process lives on as an orphan",
    "stalled": "The supervisor dies, the task's process stands still and goes on beside the next attempt",
    "triggerer": "The triggerer dies",
    "scheduler": "The scheduler and all workers die",
    "connection": "A connection is cut",
    "service": "The service is in trouble",
}
_HEAD = "| {} | Injections | Runs | Ended well | Jobs | Duplicates | Lost rows | Seconds to the end |\n"
_RULE = "|---|---|---|---|---|---|---|---|\n"


def page(outcomes: Sequence[Outcome], minutes: float, unfinished: Sequence[str] = ()) -> str:
    """Write the page.

    Args:
        outcomes: Of all runs.
        minutes: How long they took.
        unfinished: The kinds of runs of which some or all are left out.
    """
    injected = [one for one in outcomes if one.happened]
    tables = [_table(victim, title, injected) for victim, title in _TITLES.items()]
    return "\n".join([_introduction(outcomes, minutes, unfinished), *filter(None, tables)])


def _introduction(outcomes: Sequence[Outcome], minutes: float, unfinished: Sequence[str]) -> str:
    injections = sum(len(one.happened) for one in outcomes)
    well = sum(one.good for one in outcomes)
    left_out = (
        f"| Kinds that were stopped before all their runs | {'; '.join(unfinished)} |\n" if unfinished else ""
    )
    return f"""\
# Crash matrix

`GenAIBatchOperator` in a real Airflow, against the [emulator](emulator.md), with something killed or broken at each of
its steps. `make crash` runs the matrix and writes this page. `make test` runs a part of it in which every step and
every victim occurs.

| | |
|---|---|
| Injections | {injections:,} |
| Runs | {len(outcomes):,} |
| Runs that ended well | {well:,} |
| Jobs | {sum(one.jobs for one in outcomes):,} |
| Duplicates: jobs beyond one for the same requests of the same task that were live or answered | \
{sum(one.duplicates for one in outcomes)} |
| Lost rows: of 50 a run, those that did not land exactly once with status `ok` | {sum(one.lost for one in outcomes)} |
| Run on | Airflow {version("apache-airflow")}, PostgreSQL, Python {platform.python_version()}, \
{os.cpu_count()} cores, in {minutes:.0f} minutes |
{left_out}
A run ends well if it succeeds, all its planned injections happened, there is one paid job, the manifest names that job,
and each of its 50 rows has landed once.

## How it is run

Every process is real: API server, scheduler with LocalExecutor, DAG processor, triggerer. A process dies by SIGKILL.
The operator is not changed for the test. A step is one HTTP call, one call to Airflow, or the publication of the rows.
A process dies at the first step at which no run of its kind has died before. Runs of a kind are repeated until one of
them finds no such step. The kinds combine:

* the Gemini API with a JSONL file (Files API) and with inline requests, and Vertex AI with a JSONL file (staged in
  Cloud Storage)
* waiting in place and deferred
* lists that show a new job at once, and lists that show it after 5 seconds or at the third look
* a first attempt, and an attempt after one that died before the create call, after the create call and before its
  reply, or while the rows landed

A step has up to five phases: `not sent`, `half sent`, `sent, reply not read` (the service has acted), `half read`,
`reply read`. A run with several deaths counts in the line of the last one, except under Injections.
*Seconds to the end* is the median time from the last injection to the end of the run. It includes the time until the
death is noticed, the next attempt, and the rest of the job. Airflow notices dead workers and schedulers by their
missing heartbeats, here after 8 and 15 seconds.
"""


def _table(victim: str, title: str, outcomes: Sequence[Outcome]) -> str:
    injections = Counter(
        event for one in outcomes for event in one.happened if event.startswith(f"{victim}: ")
    )
    if not injections:
        return ""
    order = _order(outcomes)
    rows = [
        _row(event, count, [one for one in outcomes if one.happened[-1] == event])
        for event, count in sorted(
            injections.items(), key=lambda item: (order.get(_step(item[0]), 0), item[0])
        )
    ]
    first = "Step" if victim not in ("triggerer", "service") else "When" if victim == "triggerer" else "What"
    return f"## {title}\n\n{_HEAD.format(first)}{_RULE}{''.join(rows)}"


def _row(event: str, injections: int, last: Sequence[Outcome]) -> str:
    seconds = [one.recovery for one in last if one.recovery is not None]
    cells = [
        f"`{_step(event)}`" if event.partition(": ")[2].count(": ") else _step(event),
        injections,
        len(last),
        sum(one.good for one in last),
        sum(one.jobs for one in last),
        sum(one.duplicates for one in last),
        sum(one.lost for one in last),
        f"{median(seconds):.1f}" if seconds else "",
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def _order(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Place each step where runs come to it: the median of its places in their first attempts, else in later ones."""
    places: dict[tuple[bool, str], list[int]] = {}
    for outcome in outcomes:
        for place, one in enumerate(outcome.walk):
            places.setdefault((one["attempt"] == 1, one["step"]), []).append(place)
    later = {step: median(found) for (first, step), found in places.items() if not first}
    first = {step: median(found) for (first, step), found in places.items() if first}
    return {phase: float(place) for place, phase in enumerate(PHASES)} | later | first


def _step(event: str) -> str:
    return event.partition(": ")[2]
