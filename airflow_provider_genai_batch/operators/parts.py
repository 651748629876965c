"""The first and the last task of a group: one splits an input, the other merges the rows of the parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID, open_client
from airflow_provider_genai_batch.hooks.xcom import trust_models
from airflow_provider_genai_batch.operators.outcome import ReportsOutcome
from airflow_provider_genai_batch.operators.templates import RendersAddresses

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.checks import Check

trust_models()

RENUMBER = "renumber"
"""The key of the XCom that says whether rows are numbered within their part."""
DRIFT_IN_PARTS = "a part does not know the shares of the others: leave drift out."


class GenAIBatchSplitOperator(RendersAddresses, BaseOperator):
    """Divide an input into parts, one for each mapped task: several files stay whole, a single file is cut by its rows.

    All requests of a single file are checked before it is divided, so nothing is paid if one of them is bad. Its parts
    are written beside `results_uri`, in a folder of the run; a retry writes the same parts.

    Args:
        model: the model of the requests.
        src: one file of requests, or of rows if `rows` is true; a pattern with ``*``; or a list of files.
        results_uri: where the merged rows will land.
        parts: the number of parts; None: `rows_per_part` decides, or each file is one part.
        rows_per_part: the most requests or rows in a part.
        prompt: makes a request from each row; the files are tables then.
        key: the columns that are the key of a row.
        columns: the columns that land beside the answers.
        request_defaults: fields of every request.
        output_type: the type of the answers.
        media_uri: folder for pictures and sound; each part has a subfolder there.
        max_cost: USD that all parts may cost together; each part may cost an equal share.
        conn_id: the Airflow connection.

    Returns:
        The parameters of the mapped task for each part: ``src``, ``results_uri``, and ``media_uri`` and ``max_cost`` if
        they were given.

    Raises:
        InputError, ConfigurationError: the input cannot be divided like this, or one of its requests cannot be sent.
    """

    template_fields: Sequence[str] = (
        "model",
        "src",
        "key",
        "columns",
        "request_defaults",
        "results_uri",
        "media_uri",
        "conn_id",
    )

    def __init__(  # noqa: PLR0913 - one a setting; keyword-only
        self,
        *,
        model: str,
        src: Any,
        results_uri: Any,
        parts: int | None = None,
        rows_per_part: int | None = None,
        prompt: Any = None,
        key: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        request_defaults: Any = None,
        output_type: Any = None,
        media_uri: Any = None,
        max_cost: float | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.src = src
        self.results_uri = address(results_uri)
        self.parts = parts
        self.rows_per_part = rows_per_part
        self.prompt = prompt
        self.key, self.columns = key, columns
        self.request_defaults = request_defaults
        self.output_type = output_type
        self.media_uri = address(media_uri)
        self.max_cost = max_cost
        self.conn_id = conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Divide the input and return the parameters of each part."""
        from airflow_provider_genai_batch.hooks.task_instance import key_of
        from airflow_provider_genai_batch.results.sinks import check_results_uri
        from airflow_provider_genai_batch.task.parts.division import Division
        from airflow_provider_genai_batch.task.parts.places import Places
        from airflow_provider_genai_batch.task.parts.split import (
            check_others,
            files_of,
            order_of,
            refuse_defaults_in_place,
            split,
        )

        check_results_uri(self.results_uri)
        with open_client(self.conn_id) as client:
            places = Places(self.results_uri, key_of(context)[:16], client.config.staging_uri)
            files = files_of(self.src, client, self.results_uri)
            if len(files) == 1 and self.prompt is None and self.request_defaults is not None:
                refuse_defaults_in_place(files[0], places, client)
            names = ("model", "prompt", "key", "columns", "request_defaults", "output_type")
            asked = {name: getattr(self, name) for name in names}
            sources = split(
                files,
                client,
                model=self.model,
                rows=self.prompt is not None,
                division=Division(self.parts, self.rows_per_part),
                places=places,
                order=order_of(files[0], client, asked) if len(files) == 1 else None,
            )
            check_others(places, len(sources), client)
        most = conf.getint("core", "max_map_length", fallback=1024)
        if len(sources) > most:
            msg = (
                f"{len(sources)} parts are more than the {most} tasks that Airflow maps one to ([core] "
                "max_map_length): make parts larger."
            )
            raise InputError(msg)
        self.log.info("%d parts of %s.", len(sources), files[0] if len(files) == 1 else f"{len(files)} files")
        # The keys that were added to requests of a single file count over the whole file.
        context["ti"].xcom_push(key=RENUMBER, value=self.prompt is not None or len(files) > 1)
        return [
            {
                "src": source,
                "results_uri": places.rows(number),
                **self._shares(number, len(sources)),
            }
            for number, source in enumerate(sources)
        ]

    def _shares(self, number: int, parts: int) -> dict[str, Any]:
        shares: dict[str, Any] = {}
        if self.media_uri is not None:
            shares["media_uri"] = f"{self.media_uri.rstrip('/')}/part-{number:05d}"
        if self.max_cost is not None:
            shares["max_cost"] = self.max_cost / parts
        return shares


class GenAIBatchMergeOperator(ReportsOutcome, RendersAddresses, BaseOperator):
    """Merge the rows of parts into one table, part after part, and judge them together.

    Tables are joined in BigQuery, and files in one bucket in Cloud Storage, unless `renumber` or `ordered` changes
    them; other files pass through the worker. If `results_uri` has a ``*``, the files of the parts are left unchanged.

    Args:
        manifests: the manifests of the parts, in order. The parts have landed rows in files of one format, or in
            tables.
        results_uri: where all rows land: a file, a table, or a pattern with ``*`` that the files of the parts match.
        media_uri: the folder with the media folders of the parts.
        max_failed_rows: count (int) or fraction (float up to 1.0) of all rows that may fail.
        checks: conditions that the rows of all parts together must meet; the tasks of the parts have the same ones.
        on_check: what happens if one is not met, ``fail`` or ``warn``.
        renumber: replace keys that are a row's position in its part by its position in the whole input, and `index`.
        ordered: the parts' rows are in the order of the input; `index` is replaced if it is known.
        conn_id: the Airflow connection.

    Returns:
        One manifest, as a dict of JSON.

    Raises:
        TooManyFailedRows: more rows of all parts together failed.
        ChecksFailed: a check of the rows of all parts together failed.
        ManifestError: one of the parts has left no manifest, or landed nothing.
        InputError: the rows of a part are not those that it landed.
    """

    src: Any = None  # rows have no requests here; templates in `checks` are rendered
    template_fields: Sequence[str] = (
        "manifests",
        "results_uri",
        "media_uri",
        "renumber",
        "checks",
        "conn_id",
    )

    def __init__(  # noqa: PLR0913 - one a setting; keyword-only
        self,
        *,
        manifests: Any,
        results_uri: Any,
        media_uri: Any = None,
        max_failed_rows: float = 0,
        checks: Sequence[Check] | None = None,
        on_check: str = "fail",
        renumber: Any = False,
        ordered: bool = False,
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.results_uri = address(results_uri)
        self.media_uri = address(media_uri)
        self.max_failed_rows = max_failed_rows
        self.checks = checks
        self.on_check = on_check
        self.renumber = renumber
        self.ordered = ordered
        self.conn_id = conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Merge the rows and return the manifest of all."""
        return self.settled(context, partial(self._merged, context))

    def lineage(self) -> Any:
        """Return the sources and the destination of the rows."""
        from airflow_provider_genai_batch.reporting.lineage import lineage_of_merging

        return lineage_of_merging(self, self.outcome)

    def _merged(self, context: Context) -> dict[str, Any]:
        from airflow_provider_genai_batch.flows.outcome.settle import hold
        from airflow_provider_genai_batch.hooks.task_instance import owner_of
        from airflow_provider_genai_batch.task.checks.row_checks import refuse_drift
        from airflow_provider_genai_batch.task.parts.checked import checked_of
        from airflow_provider_genai_batch.task.parts.merge import merge
        from airflow_provider_genai_batch.task.parts.merge_tables import merge_tables
        from airflow_provider_genai_batch.task.parts.places import is_dataset
        from airflow_provider_genai_batch.task.parts.total import refuse_failed, total
        from airflow_provider_genai_batch.wire.tables.sql import is_table

        parts = self._parts(self.manifests)
        refuse_drift(self.checks or (), DRIFT_IN_PARTS)
        checked = checked_of(parts, self.checks or ())
        digest, did = None, None
        with open_client(self.conn_id) as client:
            if is_table(self.results_uri):
                did = merge_tables(parts, client, self.results_uri, owner_of(context).labels)
            elif not is_dataset(self.results_uri):
                digest = merge(
                    parts,
                    client,
                    self.results_uri,
                    renumber=bool(self.renumber),
                    ordered=self.ordered,
                )
        manifest = total(
            parts, self.results_uri, digest, self.media_uri, did, conn_id=self.conn_id, checked=checked
        )
        refuse_failed(manifest, self.max_failed_rows)
        hold(manifest, self.on_check)
        return manifest.model_dump(mode="json")

    @staticmethod
    def _parts(manifests: Iterable[Any]) -> list[Any]:
        from airflow_provider_genai_batch.exceptions import ManifestError
        from airflow_provider_genai_batch.task.settings.job_names import read_manifest

        given = [manifests] if isinstance(manifests, (str, Mapping)) else [*manifests]
        parts = [read_manifest(manifest) for manifest in given]
        if not parts or any(part.results_uri is None or part.counts is None for part in parts):
            msg = "There are no rows to merge: give the manifests of tasks that landed rows (results_uri)."
            raise ManifestError(msg)
        return parts
