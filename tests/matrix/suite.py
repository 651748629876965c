"""What is run in every cell: what Airflow, Python or a library could break. The rest is the same bytes everywhere."""

from __future__ import annotations

SUITE = (
    "tests/matrix",
    "tests/cli",
    "tests/decorators",
    "tests/hooks/test_connection.py",
    "tests/hooks/test_read_rows.py",
    "tests/links/test_links.py",
    "tests/operators/test_cancelled_before.py",
    "tests/operators/test_capacity.py",
    "tests/operators/test_imports.py",
    "tests/operators/test_one_job.py",
    "tests/operators/test_outcomes.py",
    "tests/operators/test_output_type.py",
    "tests/operators/test_rounds.py",
    "tests/operators/test_several_jobs.py",
    "tests/rows/test_parquet.py",
    "tests/rows/test_table_files.py",
    "tests/sensors",
    "tests/triggers/test_trigger.py",
)

NOT_BEFORE = {
    "tests/links/test_links.py::test_a_link_that_cannot_be_stored": (
        (3, 0),
        "it breaks XComs where the tasks of Airflow 3 push them",
    ),
    "tests/cli/test_commands.py::test_airflow_has_the_commands": (
        (3, 2),
        "Airflow takes commands of providers from 3.2 on",
    ),
    "tests/operators/test_one_job.py::test_a_task_that_is_stopped_while_it_runs_for_airflow": (
        (3, 0),
        "dag.test() of Airflow 2 does not say in its database that a task runs; tests/matrix does it there",
    ),
}
"""Tests that need a newer Airflow, by how their ids begin; with the first version and why."""
