"""However a task asks, wherever a process dies, each key has one row, and only what was under way is paid again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deaths.lives import Running, Service, service
from tests.deaths.plans import by_chance
from tests.deaths.report import TITLE
from tests.deaths.ways import WAYS, Way
from tests.docs.pages import ROOT
from tests.docs.sections import section

LIVES = [*by_chance(seed=2919, times=1)]
PAGE = ROOT / "docs/reference/crash-matrix.md"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("deaths")) as started:
        yield started


@pytest.mark.parametrize(("way", "plan"), LIVES, ids=[way.name for way, _ in LIVES])
def test_a_task_whose_processes_die_has_each_row_once_and_pays_for_it_once(
    running: Service, way: Way, plan: list[int]
) -> None:
    life = Running(running, way, plan).run()
    assert not life.broken, "\n".join([*map(str, life.deaths), *life.broken])
    assert life.deaths, f"{plan} is beyond {[*map(len, life.steps)]}"


def test_the_page_tells_of_each_way_and_of_no_broken_promise() -> None:
    part = section(PAGE.read_text(), TITLE)
    cells = [
        [cell.strip() for cell in line.split(" | ")] for line in part.splitlines() if line.startswith("| ")
    ]
    table = {cells[0].removeprefix("| "): cells[1:] for cells in cells[1:]}
    assert table.keys() == WAYS.keys(), TITLE
    for name, (lives, _deaths, _steps, well, lost, twice, risk) in table.items():
        assert (well, lost) == (lives, "0"), name
        assert int(twice.replace(",", "")) <= int(risk.rstrip(" |").replace(",", "")), name
