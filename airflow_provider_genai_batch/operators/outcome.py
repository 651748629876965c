"""Reports a task's manifest in lineage and in the events of its outlets, in addition to its XCom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import JobError
from airflow_provider_genai_batch.reporting.failed import keep_manifest
from airflow_provider_genai_batch.reporting.outlets import add_manifest_to_outlets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ReportsOutcome:
    """An operator whose outcome is a manifest.

    Attributes:
        outcome: the manifest as JSON (for a failed task as far as it is known); None while there is none.
    """

    outcome: Mapping[str, Any] | None = None
    outlets: Any

    def settled(self, context: Context, settle: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run `settle`, keep its outcome for OpenLineage, which asks later, and add it to the outlets' events."""
        self.outcome = None
        try:
            manifest = settle()
        except JobError as error:
            self.outcome = error.manifest or {"job_names": error.job_names}
            keep_manifest(context, error)
            raise
        self.outcome = manifest
        add_manifest_to_outlets(context, self.outlets, manifest)
        return manifest

    def lineage(self) -> Any:
        """Return an ``OperatorLineage`` with what is known so far. Only OpenLineage calls this, so it is installed."""
        raise NotImplementedError

    def get_openlineage_facets_on_start(self) -> Any:
        """Return the lineage when the task begins, without an `outcome`."""
        return self.lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - OpenLineage's signature
        """Return the lineage with the outcome. OpenLineage calls this also after a failure, if nothing else exists."""
        return self.lineage()
