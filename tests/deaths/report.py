"""The part of the page on crashes that tells of other ways of asking."""

from __future__ import annotations

from collections.abc import Sequence

from tests.deaths.lives import Life
from tests.deaths.process import CALLS, LINES
from tests.deaths.ways import WAYS

TITLE = "## Other ways of submitting"
_HEAD = (
    "| Way | Lives | Deaths | Steps died at | Ended well | Rows lost | Paid twice | At risk |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def section(lives: Sequence[Life], most: int | None = None, before: str = "") -> str:
    """Write it.

    Args:
        lives: that have ended.
        most: of the steps of a way at which lives were ended, if not all were.
        before: what it was; ways that were not looked at keep their lines.
    """
    some = f" This run took at most {most} of these steps in each way, chosen at random." if most else ""
    kept = {line.split(" | ")[0].removeprefix("| "): f"{line}\n" for line in before.splitlines()}
    lines = "".join(
        _line(name, [one for one in lives if one.way.name == name]) or kept.get(name, "") for name in WAYS
    )
    return f"""\
{TITLE}

The task's own code in runs that need more than one batch job with one file, against the [emulator](emulator.md). Each
attempt, each wait on the triggerer and each resumption is a process of its own. Airflow does not run here; files keep
what Airflow would keep between processes. At some step (a call, the publication of a file, a record) SIGKILL ends the
process, and the next process continues as it would in Airflow: with another attempt, or with the same wait again. A
*life* is one run of a task with all its processes.
`python -m tests.deaths --page docs/reference/crash-matrix.md` kills each process at the first and the last step of each
name, runs further lives with up to three deaths at random steps, and writes this part;
`make test` runs some of the latter.{some}

{_HEAD}{lines}
A life ends well if the task succeeds and no attempt fails by itself; each key has one row, with the answer to its own
request; no request is submitted whose answer was already available; and no job keeps running. On the Gemini API it also
needs that no request is sent again whose answer is in the journal, and that no file with reused answers is left over.
*Paid twice* counts answers to requests that already had one. *At risk* counts, for each death in a way with immediate
calls, the {CALLS} calls that were running and the {LINES} lines of a part of the journal. In all other ways nothing is
at risk.
"""


def _line(name: str, lives: Sequence[Life]) -> str:
    if not lives:
        return ""
    deaths = [death for one in lives for death in one.deaths]
    cells = (
        name,
        f"{len(lives):,}",
        f"{len(deaths):,}",
        f"{len({str(death) for death in deaths}):,}",
        f"{sum(not one.broken for one in lives):,}",
        f"{sum(one.lost for one in lives):,}",
        f"{sum(one.twice for one in lives):,}",
        f"{sum(one.at_risk for one in lives):,}",
    )
    return f"| {' | '.join(cells)} |\n"
