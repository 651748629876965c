"""Links on the page of a task, to its job and to its rows. They are shown also while the task is deferred."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_genai_batch.links.pages import job_page, rows_page
from airflow_provider_genai_batch.printable import printable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)


class _StoredLink(BaseOperatorLink):
    """A link whose address is stored as an XCom. Airflow 3 reads the XCom by its key; Airflow 2 calls this class."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow passes both
        """Return the stored address; empty if there is none."""
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""


class GenAIBatchJobLink(_StoredLink):
    """Link to the job, in Google's console or AI Studio."""

    name = "Batch job"
    xcom_key = "genai_batch_job_link"


class GenAIBatchRowsLink(_StoredLink):
    """Link to the rows, if they are in Cloud Storage or BigQuery."""

    name = "Rows"
    xcom_key = "genai_batch_rows_link"


def store_links(
    context: Context,
    jobs: Sequence[BatchJob],
    project: str | None,
    results_uri: str | None,
    stored: Mapping[str, str] | None,
) -> dict[str, str]:
    """Store the links to submitted jobs. An error here is only logged, so that the jobs are not lost.

    A link that leads nowhere is not stored, unless it replaces another one.

    Args:
        context: Airflow's context.
        jobs: the jobs of the task.
        project: the project of the connection.
        results_uri: where rows will land.
        stored: the links that are stored already; None: not known.

    Returns:
        The links by the keys of their XComs.
    """
    destination = jobs[-1].destination
    own = (destination.bigquery_uri or destination.gcs_uri) if destination else None
    links = {
        GenAIBatchJobLink.xcom_key: job_page(jobs, project),
        GenAIBatchRowsLink.xcom_key: rows_page(results_uri, project, is_object=True)
        or rows_page(own, project),
    }
    for key, link in links.items():
        if not link and stored is not None and not stored.get(key):
            continue
        try:
            context["ti"].xcom_push(key=key, value=link)
        except Exception as error:  # noqa: BLE001 - each XCom backend has errors of its own
            log.warning("The link to %s is not shown: %s", link, printable(str(error)))
    return links
