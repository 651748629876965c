"""Runs database queries through Airflow's own hooks. Loaded when a task runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    GenAIBatchError,
    InputError,
    UnsupportedError,
)
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.task.inputs.queries.rows import QueryRows, words_of

log = logging.getLogger(__name__)

_NAMED = ("psycopg2", "psycopg")
"""Drivers whose named cursors leave the rows on the server; unnamed ones load all rows into the client."""
_UNBUFFERED = {"MySQLdb": "MySQLdb.cursors", "pymysql": "pymysql.cursors"}
"""Drivers whose ``SSCursor`` leaves the rows on the server, and the module that has it."""
_STREAMING = ("sqlite3", "mysql", "oracledb", "pyodbc", "pymssql", "trino", "prestodb", "vertica_python")
"""Drivers whose cursors fetch rows on demand."""


@contextmanager
def open_query(query: SqlSource) -> Iterator[QueryRows]:
    """Run a query whose rows can be read until the block ends. No change that the query makes is committed.

    Raises:
        ConfigurationError: there is no such connection, or it is not one of a database.
        InputError: the database refuses the query, or cannot be reached.
        UnsupportedError: the extra ``sql`` is not installed.
    """
    hook = _hook(query.conn_id)
    log.info("Running %s.", words_of(query))
    with ExitStack() as stack:
        with _explained(query):
            connection = stack.enter_context(closing(hook.get_conn()))
            cursor = stack.enter_context(closing(_cursor(connection)))
            given = () if query.parameters is None else (query.parameters,)
            cursor.execute(query.sql, *given)
            # psycopg2 knows the columns of a server-side cursor only after the first fetch.
            first = cursor.fetchmany(query.chunk)
            if cursor.description is None:
                msg = f"{words_of(query)} gives no rows: sql is one statement that does, such as SELECT"
                raise InputError(msg)
            names = [str(column[0]) for column in cursor.description]
        yield QueryRows(names, _rows(cursor, first, query))


def _rows(cursor: Any, first: Sequence[Any], query: SqlSource) -> Iterator[Sequence[Any]]:
    with _explained(query):
        chunk = first
        while chunk:
            for row in chunk:
                yield [*row.values()] if isinstance(row, Mapping) else row
            chunk = cursor.fetchmany(query.chunk)


def _hook(conn_id: str) -> Any:
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError as error:
        msg = "An SqlSource as src needs an extra: install airflow-provider-genai-batch[sql] where tasks run"
        raise UnsupportedError(msg) from error
    try:
        hook = BaseHook.get_connection(conn_id).get_hook()  # type: ignore[no-untyped-call]
    except AirflowNotFoundException as error:
        msg = f"src names the connection {conn_id!r}, which does not exist: add it, or name another in conn_id of src."
        raise ConfigurationError(msg) from error
    except Exception as error:  # whatever Airflow, or the module of a hook, raises
        msg = (
            f"The hook of connection {conn_id!r}, which src names, cannot be loaded: {error}. Install the provider of "
            "its database where tasks run."
        )
        raise ConfigurationError(msg) from error
    if not isinstance(hook, DbApiHook):
        msg = (
            f"src names the connection {conn_id!r}, whose hook, {type(hook).__name__}, does not speak DB-API: name one "
            "of a database."
        )
        raise ConfigurationError(msg)
    return hook


def _cursor(connection: Any) -> Any:
    """Open a cursor that leaves the rows on the server, if the driver has one."""
    drivers = [kind.__module__.partition(".")[0] for kind in type(connection).__mro__]
    if any(driver in _NAMED for driver in drivers):
        return connection.cursor(f"genai_batch_{uuid4().hex}")
    for driver, module in _UNBUFFERED.items():
        if driver in drivers:
            return connection.cursor(import_module(module).SSCursor)
    if not any(driver in _STREAMING for driver in drivers):
        log.info(
            "Rows are read through an ordinary cursor of %s, which may hold all of them in memory.",
            drivers[0],
        )
    return connection.cursor()


@contextmanager
def _explained(query: SqlSource) -> Iterator[None]:
    try:
        yield
    except GenAIBatchError:
        raise
    except Exception as error:  # each driver has errors of its own
        msg = f"{words_of(query)} failed ({type(error).__name__}): {error}"
        raise InputError(msg) from error
