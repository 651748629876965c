"""Reports of a task's manifest beside its XCom: lineage, and the events of its outlets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import JobError
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.reporting.outlets import add_manifest_to_outlets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

FAILED_MANIFEST = "manifest"
"""Key of the XCom with the manifest of a failed attempt."""


class ReportsOutcome:
    """An operator whose outcome is a manifest.

    Attributes:
        outcome: the manifest as JSON (of a failed task as far as it is known); None while there is none.
    """

    outcome: Mapping[str, Any] | None = None
    outlets: Any

    def settled(self, context: Context, settle: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Settle, keep the outcome for OpenLineage, which asks afterwards, and tell it to outlets."""
        self.outcome = None
        try:
            manifest = settle()
        except JobError as error:
            self.outcome = error.manifest or {"job_names": error.job_names}
            _keep_manifest(context, error)
            raise
        self.outcome = manifest
        add_manifest_to_outlets(context, self.outlets, manifest)
        return manifest

    def lineage(self) -> Any:
        """Return an ``OperatorLineage`` of what is known so far. Only OpenLineage asks, so it is there."""
        raise NotImplementedError

    def get_openlineage_facets_on_start(self) -> Any:
        """Return to OpenLineage what is known when the task begins, without an `outcome`."""
        return self.lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - OpenLineage's signature
        """Tell OpenLineage what came of it; of a failure too, as OpenLineage asks this where there is nothing else."""
        return self.lineage()


def _keep_manifest(context: Context, error: JobError) -> None:
    """Store the manifest where callbacks and downstream tasks find it; an error in that does not hide the failure."""
    if error.manifest is None:
        return
    try:
        context["ti"].xcom_push(key=FAILED_MANIFEST, value={**error.manifest})
    except Exception as trouble:  # noqa: BLE001 - XComs are kept in many ways, which fail in ways of their own
        log.warning("The manifest could not be stored as an XCom: %s", printable(str(trouble)))
