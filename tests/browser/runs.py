"""The pages of a run and of its tasks."""

from __future__ import annotations

from urllib.parse import quote

from tests.airflow_stack import DagRun


def run_page(run: DagRun) -> str:
    """Return the path of a run's page."""
    return f"/dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}"


def task_page(run: DagRun, task_id: str) -> str:
    """Return the path of the page with a task's log."""
    return f"{run_page(run)}/tasks/{task_id}"


def question_page(run: DagRun, task_id: str) -> str:
    """Return the path of the page on which a person answers what a task asks."""
    return f"{task_page(run, task_id)}/required_actions"
