"""Which versions are tried: the one home of that. README's table is checked against it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One environment.

    Attributes:
        airflow: its version; empty takes the lowest that pyproject.toml declares, and so of all that it asks for.
        python: major and minor version.
        pins: what else has to be said for that Airflow to work without a constraints file.
        brief: a part of the suite will do, because every `dag.test()` of that Airflow takes seconds, or it is not
            released.
    """

    airflow: str
    python: str
    pins: tuple[str, ...] = ()
    brief: bool = False

    @property
    def name(self) -> str:
        return f"airflow-{self.airflow or 'lowest'}-python-{self.python}"


OLDEST, NEWEST, COMING = "2.11.2", "3.3.2", "3.4.0b2"

_PINS_3_2 = (
    # fastapi 0.165 and svcs 26.2 break it, both released after it.
    "fastapi<0.140",
    "svcs<26",
)

_PINS_3_4 = (
    # A pre-release asks for these by exact versions, which an installer takes only where they are named outright.
    f"apache-airflow-core=={COMING}",
    "apache-airflow-task-sdk==1.4.0b2",
)

CELLS = (
    Cell("", "3.10"),
    Cell("", "3.12"),
    Cell(OLDEST, "3.10"),
    Cell(OLDEST, "3.11"),
    Cell(OLDEST, "3.12"),
    Cell("3.1.8", "3.11", brief=True),
    Cell("3.2.2", "3.12", _PINS_3_2, brief=True),
    Cell(NEWEST, "3.10"),
    Cell(NEWEST, "3.12"),
    Cell(NEWEST, "3.13"),
    Cell(COMING, "3.12", _PINS_3_4, brief=True),
)
