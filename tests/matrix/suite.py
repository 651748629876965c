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
    "tests/operators/test_late_rows.py",
    "tests/operators/test_one_job.py",
    "tests/operators/test_outcomes.py",
    "tests/operators/test_output_type.py",
    "tests/operators/test_rounds.py",
    "tests/operators/test_several_jobs.py",
    "tests/results/test_parquet_sink.py",
    "tests/requests/test_table_files.py",
    "tests/sensors",
    "tests/triggers/test_trigger.py",
)

_DECORATED = "tests/decorators/test_task_genai_batch.py"
_ONE_JOB = "tests/operators/test_one_job.py"
_SENSOR = "tests/sensors/test_sensor.py"

BRIEF = (
    "tests/matrix",
    "tests/cli",
    f"{_DECORATED}::test_a_list_is_asked_and_the_manifest_is_the_output",
    f"{_DECORATED}::test_a_retry_calls_the_function_again_and_pays_no_second_job",
    "tests/hooks/test_connection.py",
    "tests/links/test_links.py::test_a_deferred_task_leads_to_its_job_and_to_where_its_rows_will_be",
    "tests/operators/test_capacity.py::test_it_is_waited_for_without_a_slot",
    "tests/operators/test_imports.py",
    f"{_ONE_JOB}::test_a_retry_takes_up_the_job_of_the_attempt_before",
    f"{_ONE_JOB}::test_a_task_that_ran_out_of_airflows_time_cancels_its_job",
    f"{_SENSOR}::test_it_waits_for_all_of_several_jobs",
    f"{_SENSOR}::test_soft_fail_skips_instead",
    "tests/triggers/test_trigger.py",
)
"""A part of it that goes through every door once. In `dag.test()` of Airflow 3.1 a failure calls nobody back."""

PART = "MATRIX_PART"
"""The environment variable that asks for a part of the cases of each test: one in so many (`tests.by_turns`)."""

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
