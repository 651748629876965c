"""Run every scenario with both contenders and print what they paid: ``python -m tests.peers.paid_jobs``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.airflow_stack import DagRun
from tests.peers.paid_jobs.arena import TASK, Arena, arena
from tests.peers.paid_jobs.scenarios import SCENARIOS, Scenario

_PACKAGES = (
    "airflow-provider-genai-batch",
    "apache-airflow-providers-google",
    "google-genai",
    "apache-airflow",
)
_SECONDS = 180


@dataclass(frozen=True)
class Count:
    """What a run cost and how its task ended."""

    jobs: int
    answered: int
    asked: int
    tries: int
    state: str
    error: str

    def __str__(self) -> str:
        """Return cells of a table."""
        said = f"{self.state}: `{self.error}`" if self.error else self.state
        return f"{self.jobs} | {self.answered} of {self.asked} | {self.tries} | {said}"


def main() -> int:
    """Run them all.

    Returns:
        0; the table says the rest.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="scenarios whose text contains this")
    options = parser.parse_args()
    say(", ".join(f"{name} {version(name)}" for name in _PACKAGES))
    cells = "Jobs | Rows | Tries | Task"
    say(f"| What happens | Waiting, input | {cells} | {cells} |")
    say("|" + "---|" * 10)
    with tempfile.TemporaryDirectory(prefix="paid-jobs-") as folder, arena(Path(folder)) as ground:
        for scenario in SCENARIOS:
            if options.only in scenario.what:
                run(scenario, ground)
    return 0


def run(scenario: Scenario, ground: Arena) -> None:
    """Print a line of the table for each way to wait and each source."""
    for door in scenario.doors:
        for source in scenario.sources:
            ours, theirs = (count(scenario, ground, side, door, source) for side in ("ours", "theirs"))
            say(f"| {scenario.what} | {door.replace('_', ' ')}, {source} | {ours} | {theirs} |")


def count(scenario: Scenario, ground: Arena, side: str, door: str, source: str) -> Count:
    """Play a scenario to its end and count."""
    before = len(ground.emulator.jobs)
    run = scenario.play(ground, side, door, source)
    state = ground.airflow.client.wait_for(run, _SECONDS)
    ground.the_hour_passes()  # jobs that nobody waits for any more end too, and are billed
    jobs = ground.emulator.jobs[before:]
    tries = ground.airflow.client.task(run, TASK)["try_number"]
    answered, asked = (sum(job["rows"][which] for job in jobs) for which in ("succeeded", "total"))
    return Count(len(jobs), answered, asked, tries, state, _error(ground, run, tries))


def _error(ground: Arena, run: DagRun, attempt: int) -> str:
    """Return the kind of error that the last attempt ended with; empty if it ended with none."""
    path = f"{run.path}/taskInstances/{TASK}/logs/{attempt}"
    events = ground.airflow.client.call("GET", path, params={"full_content": "true"})["content"]
    kinds = [detail["exc_type"] for event in events for detail in event.get("error_detail") or ()]
    return kinds[-1] if kinds and ground.airflow.client.run_state(run) == "failed" else ""


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - its output is the point


if __name__ == "__main__":
    sys.exit(main())
