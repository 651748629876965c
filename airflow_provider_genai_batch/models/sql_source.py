"""A database query as the source of rows."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.models.base import Noun


class SqlSource(Noun):
    """A query whose rows become requests, as ``src`` with ``prompt``. Each field may be a template."""

    conn_id: str
    """The Airflow connection of the database: any whose hook speaks DB-API."""
    sql: str
    """One statement that returns rows."""
    parameters: Any = None
    """Values for the statement's placeholders, a list or a dict, which the driver binds."""
    chunk: int = 2000
    """How many rows are fetched, and in memory, at a time."""

    def __init__(self, conn_id: str, sql: str, parameters: Any = None, **settings: Any) -> None:
        super().__init__(**{"conn_id": conn_id, "sql": sql, "parameters": parameters, **settings})
