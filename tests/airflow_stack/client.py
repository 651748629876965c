"""Airflow's REST API, as far as a test or a demo needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

_INTERVAL = 0.4
"""Seconds: an answer costs the server about 15 ms of CPU time."""
_SECONDS = 240.0
"""For one answer, or for what is awaited: the first ones of an API server take long on a machine that is busy."""
_OVER = frozenset({"success", "failed"})


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG."""

    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """Its path below ``/api/v2``."""
        return f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}"


class AirflowClient:
    """Talks to an API server whose every user is an administrator."""

    def __init__(self, url: str) -> None:
        """Fetch a token.

        Args:
            url: Of the API server, without a slash at its end.
        """
        self.url = url
        token = httpx.get(f"{url}/auth/token", trust_env=False, timeout=_SECONDS).raise_for_status().json()
        self._http = httpx.Client(
            base_url=f"{url}/api/v2",
            headers={"Authorization": f"Bearer {token['access_token']}"},
            trust_env=False,
            timeout=_SECONDS,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def call(self, verb: str, path: str, **how: Any) -> Any:
        """Call the API and return its JSON.

        Raises:
            httpx.HTTPStatusError: The API refused.
        """
        if verb == "PATCH":
            return self._until_heard(verb, path, **how).raise_for_status().json()
        return self._http.request(verb, path, **how).raise_for_status().json()

    def _until_heard(self, verb: str, path: str, timeout: float = _SECONDS, **how: Any) -> httpx.Response:
        """Make a call that does the same when it is made twice, and again while the server cannot say what it did.

        Airflow answers 500 to each ``SQLAlchemyError`` (``SQLAlchemyErrorHandler`` in its
        ``api_fastapi/common/exceptions.py``, read in 3.3). One of them is SQLite's "database is locked": whoever wants
        to write waits five seconds for another writer, and on a busy machine the scheduler or the DAG processor, which
        has just parsed the DAGs and writes them down, takes longer.

        Raises:
            TimeoutError: It did not say in time; the message has its last words.
        """
        heard: list[httpx.Response | httpx.TransportError] = []

        def is_heard() -> bool:
            try:
                heard.append(self._http.request(verb, path, **how))
            except httpx.TransportError as error:
                heard.append(error)
                return False
            return not heard[-1].is_server_error

        done = _within(timeout, is_heard)
        last = heard[-1]
        if done and isinstance(last, httpx.Response):
            return last
        said = last.text if isinstance(last, httpx.Response) else repr(last)
        message = f"{verb} {path}: in {timeout:g} s, {len(heard)} calls were not answered but with: {said}"
        raise TimeoutError(message)

    def wait_for_dag(self, dag_id: str, timeout: float = _SECONDS) -> None:
        """Wait until the DAG processor has seen a DAG.

        Raises:
            TimeoutError: It has not; the message holds the import errors.
        """

        def seen() -> bool:
            return self._http.get(f"/dags/{dag_id}").is_success

        if not _within(timeout, seen):
            errors = self.call("GET", "/importErrors")["import_errors"]
            message = f"no DAG {dag_id} after {timeout:g} s; import errors: {errors}"
            raise TimeoutError(message)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> DagRun:
        """Start a run.

        Args:
            dag_id: A DAG; waited for until it is known.
            conf: The run's configuration.
        """
        self.wait_for_dag(dag_id)
        return self.start(dag_id, f"manual__{uuid4().hex}", conf or {})

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any], timeout: float = _SECONDS) -> DagRun:
        """Start a run once, however often the server has to be asked for it.

        Args:
            dag_id: A DAG that is known.
            run_id: Of the run, and of no other.
            conf: The run's configuration.
            timeout: Seconds.

        Raises:
            httpx.HTTPStatusError: The API refused.
            TimeoutError: It did not say whether there is a run.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        reply = self._until_heard("POST", f"/dags/{dag_id}/dagRuns", timeout, json=body)
        if reply.status_code != httpx.codes.CONFLICT:  # an earlier call made it, and its answer was lost
            reply.raise_for_status()
        return DagRun(dag_id, run_id)

    def run_state(self, run: DagRun) -> str:
        """Return the state of a run."""
        return str(self.call("GET", run.path)["state"])

    def task_states(self, run: DagRun) -> dict[str, str | None]:
        """Return the state of each task of a run."""
        found = self.call("GET", f"{run.path}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def task(self, run: DagRun, task_id: str) -> dict[str, Any]:
        """Return all that the API says of a task."""
        found: dict[str, Any] = self.call("GET", f"{run.path}/taskInstances/{task_id}")
        return found

    def triggerers(self) -> list[str]:
        """Return the names of the triggerers that have sent a heartbeat of late."""
        found = self.call("GET", "/jobs", params={"job_type": "TriggererJob", "is_alive": True})
        return [job["unixname"] for job in found["jobs"]]

    def triggerer_of(self, run: DagRun, task_id: str) -> str | None:
        """Return the name of the triggerer that a deferred task is with, None while it is with none."""
        job = self.task(run, task_id)["triggerer_job"]
        return None if job is None else str(job["unixname"])

    def clear(self, run: DagRun, *task_ids: str) -> None:
        """Clear tasks of a run, as a user does."""
        body = {"dag_run_id": run.run_id, "task_ids": task_ids, "dry_run": False, "only_failed": False}
        self.call("POST", f"/dags/{run.dag_id}/clearTaskInstances", json=body)

    def mark(self, run: DagRun, task_id: str, state: str) -> None:
        """Mark a task as ``success`` or ``failed``, as a user does."""
        self.call("PATCH", f"{run.path}/taskInstances/{task_id}", json={"new_state": state})

    def resize_pool(self, slots: int) -> None:
        """Set how many tasks may run at once; deferred ones take no slot."""
        body = {"pool": "default_pool", "slots": slots}
        self.call("PATCH", "/pools/default_pool", params={"update_mask": "slots"}, json=body)

    def xcom(self, run: DagRun, task_id: str, key: str = "return_value") -> Any:
        """Return what a task pushed."""
        path = f"{run.path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"deserialize": "true"})["value"]

    def log(self, run: DagRun, task_id: str, attempt: int = 1) -> str:
        """Return a task's log as text, a line for an event."""
        path = f"{run.path}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path, params={"full_content": "true"})["content"]
        return "\n".join(str(event.get("event", event)) for event in content)

    def logs(self, run: DagRun) -> str:
        """Return each task's state and the end of each of its logs, for the message of a test that fails."""
        parts = []
        for task_id, state in self.task_states(run).items():
            tries = self.task(run, task_id)["try_number"]
            parts.append(f"--- {task_id}: {state}, attempt {tries}")
            parts += [self.log_or_why_not(run, task_id, attempt)[-4000:] for attempt in range(1, tries + 1)]
        return "\n".join(parts)

    def log_or_why_not(self, run: DagRun, task_id: str, attempt: int) -> str:
        """Return a task's log, or the status that Airflow answers where an attempt never began and has none."""
        try:
            return self.log(run, task_id, attempt)
        except httpx.HTTPStatusError as error:
            return f"(no log of attempt {attempt}: {error.response.status_code})"

    def wait_for_task(self, run: DagRun, task_id: str, state: str, timeout: float = _SECONDS) -> None:
        """Wait until a task is in a state.

        Raises:
            TimeoutError: It never was seen in it.
        """
        if not _within(timeout, lambda: self.task_states(run).get(task_id) == state):
            message = f"{task_id} was not {state} after {timeout:g} s: {self.task_states(run)}"
            raise TimeoutError(message)

    def wait_for(
        self,
        run: DagRun,
        timeout: float = _SECONDS,
        progress: Callable[[dict[str, str | None]], None] | None = None,
    ) -> str:
        """Wait until a run is over.

        Args:
            run: The run.
            timeout: Seconds.
            progress: Called with the states of the tasks at every look.

        Returns:
            ``success`` or ``failed``.

        Raises:
            TimeoutError: It is not over.
        """

        def over() -> bool:
            if progress is not None:
                progress(self.task_states(run))
            return self.run_state(run) in _OVER

        if not _within(timeout, over):
            message = f"{run.dag_id} was not over after {timeout:g} s: {self.task_states(run)}"
            raise TimeoutError(message)
        return self.run_state(run)


def _within(timeout: float, condition: Callable[[], bool]) -> bool:
    """Ask until the condition holds, and for so many seconds at most."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_INTERVAL)
    return True
