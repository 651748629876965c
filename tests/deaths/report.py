"""The part of the page on crashes that tells of other ways of asking."""

from __future__ import annotations

from collections.abc import Sequence

from tests.deaths.lives import Life
from tests.deaths.process import CALLS, LINES
from tests.deaths.ways import WAYS

TITLE = "## Other ways of asking"
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
    some = (
        f" Here it was told to take no more than {most} of these steps in each way, by chance."
        if most
        else ""
    )
    kept = {line.split(" | ")[0].removeprefix("| "): f"{line}\n" for line in before.splitlines()}
    lines = "".join(
        _line(name, [one for one in lives if one.way.name == name]) or kept.get(name, "") for name in WAYS
    )
    return f"""\
{TITLE}

The task's own code where it asks otherwise than by one job of a file, against the [emulator](emulator.md), with a
process of its own for each attempt, each wait on the triggerer and each end of a deferral. Airflow is not there; what
it keeps between processes is kept in files. At a step of its way (a call, a file that is published, a note) the process
is killed by SIGKILL, and the next one goes on as Airflow would have it: another attempt, or the same wait again.
`python -m tests.deaths --page docs/reference/crash-matrix.md` kills at the first and the last step of each name, in
each process, and in lives with up to three deaths by chance, and writes this part;
`make test` runs some of the latter.{some}

{_HEAD}{lines}
A life ends well if the task succeeds without an attempt that fails by itself; each key has one row, with the answer
to its own request; nothing is asked that was at hand; no job goes on; and, which is looked at on the Gemini API
only, nothing is asked again that stood in the journal, and no file of what was at hand is left. *Paid twice* counts
answers to a request that had one. *At risk* are, for each death where rows are asked at once, the {CALLS} calls
that were under way here and the {LINES} lines of a part of the journal; in all other ways none is.
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
