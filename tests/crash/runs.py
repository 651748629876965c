"""Waiting for many runs with few calls."""

from __future__ import annotations

import threading

import httpx

from tests.airflow_stack import AirflowClient, DagRun

_EVERY = 0.5
_OVER = frozenset({"success", "failed"})


class Runs:
    """Watches all runs with one call at a time, however many wait."""

    def __init__(self, client: AirflowClient) -> None:
        """Begin to watch, in a thread of its own."""
        self._client = client
        self._waiting: dict[str, DagRun] = {}
        self._over: dict[str, str] = {}
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def wait(self, run: DagRun, timeout: float) -> str:
        """Wait until a run is over.

        Args:
            run: The run.
            timeout: Seconds.

        Returns:
            Its state; ``running`` when it is not over in time.
        """
        with self._changed:
            self._waiting[run.run_id] = run
            self._changed.wait_for(lambda: run.run_id in self._over, timeout)
            self._waiting.pop(run.run_id, None)
            return self._over.pop(run.run_id, "running")

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY):
            with self._changed:
                waiting = dict(self._waiting)
            if waiting:
                try:
                    over = self._ended(waiting)
                except httpx.HTTPError:  # the next look may be luckier
                    continue
                with self._changed:
                    self._over |= over
                    self._changed.notify_all()

    def _ended(self, waiting: dict[str, DagRun]) -> dict[str, str]:
        query = {"state": ["queued", "running"], "limit": 100}
        found = self._client.call("GET", "/dags/~/dagRuns", params=query)
        active = {run["dag_run_id"] for run in found["dag_runs"]}
        gone = [run for run_id, run in waiting.items() if run_id not in active]
        states = {run.run_id: self._client.run_state(run) for run in gone}
        return {run_id: state for run_id, state in states.items() if state in _OVER}
