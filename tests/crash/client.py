"""Airflow's REST API on a machine that is too busy to answer at times."""

from __future__ import annotations

from typing import Any

import httpx

from tests.airflow_stack import AirflowClient, DagRun

_TRIES = 5


class PatientClient(AirflowClient):
    """Asks again when no answer came."""

    def call(self, verb: str, path: str, **how: Any) -> Any:
        """Call the API and return its JSON.

        Raises:
            httpx.HTTPStatusError: The API refused.
            httpx.TransportError: No answer came, again and again.
        """
        for _ in range(_TRIES - 1):
            try:
                return super().call(verb, path, **how)
            except httpx.TransportError:
                continue
        return super().call(verb, path, **how)

    def log_events(self, run: DagRun, task_id: str, attempt: int) -> list[dict[str, Any]]:
        """Return the events of a task's log; none if it left none."""
        path = f"{run.path}/taskInstances/{task_id}/logs/{attempt}"
        try:
            events: list[dict[str, Any]] = self.call("GET", path, params={"full_content": "true"})["content"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return []
        return events
