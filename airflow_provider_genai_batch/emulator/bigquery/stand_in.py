"""A real BigQuery server on loopback, for Google's own clients too (``BIGQUERY_EMULATOR_HOST``)."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_genai_batch.emulator.bigquery.faults import CALLS
from airflow_provider_genai_batch.emulator.bigquery.faults import PATH as FAULTS
from airflow_provider_genai_batch.emulator.bigquery.held import PATH as HELD
from airflow_provider_genai_batch.emulator.bigquery.values import encode, row_as_dict
from airflow_provider_genai_batch.emulator.credentials.oauth import PROJECT
from airflow_provider_genai_batch.emulator.processes.child import Child, ChildFailedError
from airflow_provider_genai_batch.emulator.processes.loopback import LoopbackServer, NotInstalled

if TYPE_CHECKING:
    from typing_extensions import Self

_START_SECONDS = 180.0
_PAGE_ROWS = 2000
_NOT_FOUND = 404
_READY = re.compile(r"^READY (http://\S+)$", re.MULTILINE)


class BigQueryError(RuntimeError):
    """The server refused a call."""

    def __init__(self, status: int, message: str) -> None:
        """Set status and message.

        Args:
            status: HTTP status.
            message: What the server said.
        """
        super().__init__(f"{status} {message}")
        self.status = status


class TableNotFound(BigQueryError):
    """There is no such table or dataset."""


class BigQuery(LoopbackServer):
    """Datasets and tables.

    Tables are named ``project.dataset.table``, datasets ``project.dataset``; the project may be left out.
    """

    project = PROJECT
    """The project of names without one."""

    def __init__(self, port: int = 0, directory: str | Path | None = None) -> None:
        """Choose where to serve and where to keep tables.

        Args:
            port: Port on 127.0.0.1; 0 chooses a free one.
            directory: Where tables are stored; None: in memory.
        """
        super().__init__(port, directory)

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ChildFailedError: It did not start; the message contains its log.
            NotInstalled: bqemulator is not installed.
        """
        if importlib.util.find_spec("bqemulator") is None:
            message = (
                "BigQuery needs: pip install 'airflow-provider-genai-batch[emulator-bigquery]' "
                "on Python 3.11 or later"
            )
            raise NotInstalled(message)
        command = [
            sys.executable,
            "-m",
            "airflow_provider_genai_batch.emulator.bigquery.server",
            str(self._port),
        ]
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            command.append(str(self._directory.resolve()))
        child = Child("bqemulator", command)
        child.start(lambda: _READY.search(child.log()) is not None, _START_SECONDS)
        self._child = child
        if (found := _READY.search(child.log())) is None:
            message = f"bqemulator did not say where it serves: {child.log()}"
            raise ChildFailedError(message)
        self._url = found[1]
        # trust_env=False: a proxy of the machine must not stand between two processes on loopback.
        self._http = httpx.Client(base_url=f"{self._url}/bigquery/v2", trust_env=False, timeout=120)
        return self

    def create_dataset(self, dataset: str, location: str = "US") -> None:
        """Create a dataset.

        Args:
            dataset: ``dataset`` or ``project.dataset``.
            location: A region or multi-region.

        Raises:
            BigQueryError: 409 if it exists.
        """
        project, name = self._dataset(dataset)
        reference = {"datasetReference": {"projectId": project, "datasetId": name}}
        self._call("POST", f"/projects/{project}/datasets", json={**reference, "location": location})

    def refuse(
        self,
        call: str,
        status: int,
        reason: str = "backendError",
        message: str = "refused by a test",
        *,
        naming: str = "",
        times: int = 1,
        acted: bool = False,
    ) -> None:
        """Make calls fail.

        Args:
            call: Google's name: ``jobs.insert``, ``jobs.get``, ``jobs.query``, ``jobs.getQueryResults``,
                ``datasets.get`` or ``tables.get``.
            status: HTTP status of the answer.
            reason: BigQuery's reason code.
            message: Text for people.
            naming: Text that must be in the address or the body of the call.
            times: How often; 0 means always.
            acted: Whether the call is carried out first, as if its answer was lost.

        Raises:
            ValueError: There is no such call.
        """
        if call not in CALLS:
            message = f"no call of BigQuery's that can be refused: {call!r}"
            raise ValueError(message)
        fault = {"call": call, "status": status, "reason": reason, "message": message}
        self._faults("POST", {**fault, "naming": naming, "times": times, "acted": acted})

    def hold(self, naming: str) -> None:
        """Keep the next job that contains a text running until it is cancelled.

        Args:
            naming: The text.
        """
        self._held("POST", {"naming": naming})

    def held(self) -> dict[str, str]:
        """Remove the jobs that were kept running, and return their states by id: ``RUNNING`` or ``DONE``."""
        states = {job["id"]: job["state"] for job in self._held("GET")["jobs"]}
        self._held("DELETE")
        return states

    def heal(self) -> list[dict[str, Any]]:
        """Remove the faults that `refuse` has queued, and return those that did not happen."""
        left: list[dict[str, Any]] = self._faults("GET")["faults"]
        self._faults("DELETE")
        return left

    def dataset_exists(self, dataset: str) -> bool:
        """Return whether there is such a dataset."""
        project, name = self._dataset(dataset)
        return self._exists(f"/projects/{project}/datasets/{name}")

    def table_exists(self, table: str) -> bool:
        """Return whether there is such a table."""
        return self._exists(self._path(table))

    def columns(self, table: str) -> list[tuple[str, str]]:
        """Return names and types (``STRING``, ``JSON``, ``INTEGER`` ...) of a table's columns, in order.

        Raises:
            TableNotFound: No such table.
        """
        return [(field["name"], field["type"]) for field in self._schema(table)]

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Stream a table's rows, page by page.

        Values of STRING, INTEGER, FLOAT, BOOLEAN, JSON (parsed) and RECORD are Python objects; repeated ones are
        lists; values of other types are the text that the service sends.

        Raises:
            TableNotFound: There is no such table; raised at the first row.
        """
        fields = self._schema(table)
        query: dict[str, str | int] = {"maxResults": _PAGE_ROWS}
        while True:
            page = self._call("GET", f"{self._path(table)}/data", params=query)
            yield from (row_as_dict(fields, row) for row in page.get("rows", []))
            if not page.get("pageToken"):
                return
            query = {"maxResults": _PAGE_ROWS, "pageToken": page["pageToken"]}

    def create_and_insert(
        self, table: str, schema: Sequence[tuple[str, str]], rows: Iterable[dict[str, Any]]
    ) -> None:
        """Create a table and insert rows.

        Args:
            table: ``project.dataset.table``.
            schema: Names and types of its columns.
            rows: Python values; a value for a JSON column may be any JSON value.

        Raises:
            TableNotFound: There is no such dataset.
            BigQueryError: 409 if the table exists, 400 if a row does not fit.
        """
        path = self._path(table)
        project, dataset, name = self._parts(table)
        resource = {
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name},
            "schema": {"fields": [{"name": column, "type": kind} for column, kind in schema]},
        }
        self._call("POST", path.rpartition("/")[0], json=resource)
        types = dict(schema)
        stream = iter(rows)
        while batch := [{"json": encode(types, row)} for row in islice(stream, _PAGE_ROWS)]:
            answer = self._call("POST", f"{path}/insertAll", json={"rows": batch})
            if errors := answer.get("insertErrors"):
                raise BigQueryError(400, f"rows refused by {table}: {json.dumps(errors)[:500]}")

    def _faults(self, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._call(method, f"{self._url}{FAULTS}", json=body or {})

    def _held(self, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._call(method, f"{self._url}{HELD}", json=body or {})

    def _schema(self, table: str) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = self._call("GET", self._path(table))["schema"]["fields"]
        return fields

    def _exists(self, path: str) -> bool:
        try:
            self._call("GET", path)
        except TableNotFound:
            return False
        return True

    def _dataset(self, name: str) -> tuple[str, str]:
        project, _, dataset = name.rpartition(".")
        return project or self.project, dataset

    def _parts(self, table: str) -> tuple[str, str, str]:
        dataset, _, name = table.rpartition(".")
        if not dataset or not name:
            message = f"not a project.dataset.table: {table!r}"
            raise ValueError(message)
        return (*self._dataset(dataset), name)

    def _path(self, table: str) -> str:
        project, dataset, name = self._parts(table)
        return f"/projects/{project}/datasets/{dataset}/tables/{name}"

    def _call(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        if self._http is None:
            message = "BigQuery was not started"
            raise RuntimeError(message)
        reply = self._http.request(method, path, **how)
        if reply.is_error:
            kind = TableNotFound if reply.status_code == _NOT_FOUND else BigQueryError
            raise kind(reply.status_code, reply.text[:500])
        answer: dict[str, Any] = reply.json()
        return answer
