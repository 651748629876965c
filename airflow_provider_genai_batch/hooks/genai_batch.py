"""The hook: it turns an Airflow connection into clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import ConfigurationError, GenAIBatchError
from airflow_provider_genai_batch.hooks.connection_form import BEHAVIOUR, FIELDS
from airflow_provider_genai_batch.hooks.xcom import trust_models

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig, GenAIBatchClient
    from airflow_provider_genai_batch.models import ResultRow

__all__ = ["DEFAULT_CONN_ID", "GenAIBatchHook", "open_client", "read_rows"]

DEFAULT_CONN_ID = "genai_batch_default"

trust_models()


class GenAIBatchHook(BaseHook):
    """Batch jobs on the Gemini Developer API or Vertex AI, depending on the connection.

    Args:
        conn_id: a connection of type ``genai_batch`` or ``google_cloud_platform``.
    """

    conn_name_attr = "conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "genai_batch"
    hook_name = "Google GenAI Batch"

    def __init__(self, conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def config(self) -> ClientConfig:
        """Read the connection.

        Raises:
            ConfigurationError: it cannot be used.
        """
        from airflow_provider_genai_batch.hooks.connection import client_config

        return client_config(self.get_connection(self.conn_id))

    def get_conn(self) -> GenAIBatchClient:
        """Return a client; use it as a context manager or close it.

        Raises:
            ConfigurationError: the connection cannot be used.
        """
        from airflow_provider_genai_batch.client import GenAIBatchClient

        return GenAIBatchClient(self.config())

    async def get_async_conn(self) -> AsyncGenAIBatchClient:
        """Return a client for the running event loop. Looking up the connection does not block the loop.

        Raises:
            ConfigurationError: the connection cannot be used.
        """
        from airflow.providers.common.compat.connection import get_async_connection

        from airflow_provider_genai_batch.client import AsyncGenAIBatchClient
        from airflow_provider_genai_batch.hooks.connection import client_config

        connection = await get_async_connection(self.conn_id)
        return AsyncGenAIBatchClient(await clock.in_thread(client_config, connection))

    def test_connection(self) -> tuple[bool, str]:
        """List one job, which needs the credentials but costs nothing.

        Returns:
            Whether it worked, and a sentence for the user.
        """
        asked = ""
        try:
            with self.get_conn() as client:
                backend, url = client.config.backend.value, client.config.base_url()
                asked = f"{backend} at {url}: "
                client.perform(client.calls.list_jobs(page_size=1), tries=1)
                return True, f"{backend} answers at {url}"
        except GenAIBatchError as error:
            return False, f"{asked}{error}"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the connection form to Airflow before 3.2; later versions read the provider's description."""
        return {name.replace("-", "_"): value for name, value in BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields to Airflow before 3.2."""
        from wtforms import PasswordField, StringField  # type: ignore[import-untyped]  # it has no types

        return {
            name: (PasswordField if field["schema"].get("format") == "password" else StringField)(
                field["label"], description=field["description"]
            )
            for name, field in FIELDS.items()
        }


@contextmanager
def open_client(conn_id: str) -> Iterator[GenAIBatchClient]:
    """Open a client of a connection and close it at the end of the block.

    Raises:
        ConfigurationError: the connection cannot be used.
    """
    with GenAIBatchHook(conn_id).get_conn() as client:
        yield client


@contextmanager
def open_earlier_client(conn_id: str) -> Iterator[GenAIBatchClient]:
    """Open a client of a connection that an earlier attempt recorded.

    Raises:
        ConfigurationError: the connection no longer exists, or cannot be used.
    """
    try:
        client = GenAIBatchHook(conn_id).get_conn()
    except AirflowNotFoundException as error:
        msg = f"the connection {conn_id!r} does not exist any more"
        raise ConfigurationError(msg) from error
    with client:
        yield client


def read_rows(
    manifest: Any,
    *,
    conn_id: str = DEFAULT_CONN_ID,
    output_type: Any = None,
    keep: str | None = None,
    truncated: str = "ok",
) -> Iterator[ResultRow]:
    """Yield the rows of a manifest one by one; memory does not grow with their number.

    Args:
        manifest: the XCom of an operator or sensor of this package; or several, as a mapped task returns them.
        conn_id: the connection of the task that returned it.
        output_type: the task's own setting, needed to read answers that did not land; the manifest does not contain it.
        keep: the task's own setting, as for `output_type`.
        truncated: the task's own setting, as for `output_type`.

    Raises:
        ManifestError: the value is not a manifest.
        InputError: a job has not ended, or a file does not exist, or it has been overwritten. A file that was
            overwritten with the same number of rows is refused before its first row, one with more rows before the
            first surplus row, and one with fewer rows at its end.
        UnsupportedError: the rows are in BigQuery.
        CallError: the service does not return the rows, or no longer does.
    """
    from airflow_provider_genai_batch.task.landing.read_rows import rows_of

    with open_client(conn_id) as client:
        yield from rows_of(client, manifest, output_type=output_type, keep=keep, truncated=truncated)
