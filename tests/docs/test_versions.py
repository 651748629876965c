"""The versions that README names are those that are tried, and those that pyproject.toml declares."""

from __future__ import annotations

import re
from collections import defaultdict

import tomllib

from tests.docs.pages import ROOT, Page
from tests.matrix.cells import CELLS, NEWEST, OLDEST

TABLE = {row[0]: row[1:] for row in Page("README.md").table("## Install", "Airflow")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOWEST = "the lowest versions declared"


def test_every_cell_of_the_matrix_is_told_and_no_other() -> None:
    tried = defaultdict(list)
    for cell in CELLS:
        tried[cell.airflow or LOWEST].append(cell.python)
    assert {airflow: said[0].split(", ") for airflow, said in TABLE.items()} == tried


def test_what_else_has_to_be_installed_is_told() -> None:
    for cell in CELLS:
        told = re.findall(r"`([^`]*[<>=][^`]*)`", TABLE[cell.airflow or LOWEST][1])
        assert told == [*cell.pins]


def test_the_ends_are_those_that_are_declared() -> None:
    declared = [name for name in PROJECT["project"]["dependencies"] if name.startswith("apache-airflow>")]
    assert declared == [f"apache-airflow>={OLDEST.rpartition('.')[0]}.0"]
    assert f"apache-airflow=={NEWEST}" in PROJECT["dependency-groups"]["dev"]


def test_every_python_that_is_declared_is_tried_and_no_other() -> None:
    classifiers = PROJECT["project"]["classifiers"]
    declared = {found[1] for text in classifiers if (found := re.search(r":: (3\.\d+)$", text))}
    assert declared == {cell.python for cell in CELLS}
    assert PROJECT["project"]["requires-python"] == f">={min(declared, key=lambda one: int(one[2:]))}"
