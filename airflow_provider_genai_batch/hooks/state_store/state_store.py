"""Airflow's task state store (3.3 and later): a shortcut that may fail in any way, and on which nothing depends.

Errors that Airflow raises (source: the code of 3.3.2): an ``AirflowRuntimeError`` with the API server's status, or
without a status if that server cannot be reached; ``OSError`` and ``EOFError`` from the socket to the supervisor;
``ValueError`` and others from its settings, its models, and the backend that a deployment may set for its workers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.printable import printable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST = 120.0
"""The most seconds to wait for an answer. Airflow's own supervisor has given up by then; a backend may not have."""
THREAD = "genai-batch-state-store"
"""The name of the thread that waits for an answer."""
_NONE_CAME = "no answer came for {:.0f} s"
_NOT_CURRENT = (404, 409, 410)
"""Statuses by which Airflow says that another attempt has replaced this one: a retry has another id."""
_hanging: threading.Thread | None = None
"""A thread that still waits for a late answer. While it waits, Airflow is not asked again."""


class NotCurrentError(Exception):
    """Another attempt has replaced this one, or the process has lost its supervisor and cannot find out.

    Attributes:
        cause: the error that Airflow raised.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(said(cause))
        self.cause = cause


class StateStore:
    """The values that Airflow keeps for one task instance, or for an asset.

    Args:
        store: Airflow's own store.
        ti: the task instance; None: the store is an asset's.
    """

    def __init__(self, store: Any, ti: Any = None) -> None:
        self._store, self._ti = store, ti

    @classmethod
    def of(cls, context: Context) -> StateStore | None:
        """Return the store of a task; None if Airflow has none."""
        store: Any = context.get("task_state_store")
        return None if store is None else cls(store, context.get("ti"))

    def get(self, key: str, what: str) -> Any:
        """Return a value; None: there is none, or Airflow failed, which is logged as a warning.

        Args:
            key: the key of the value.
            what: a description of the value for the warning.
        """
        try:
            return _in_time(partial(self._store.get, key))
        except Exception as error:  # noqa: BLE001 - of Airflow's own kinds, or of its store's backend
            log.warning("Airflow does not say %s: %s", what, said(error))
            return None

    def set(self, key: str, value: Any, what: str) -> bool:
        """Keep a JSON value in place of an earlier one.

        Returns:
            Whether it was kept; False if Airflow failed, which is logged as a warning.

        Raises:
            NotCurrentError: another attempt has replaced this one.
        """
        try:
            _in_time(partial(self._store.set, key, value))
        except (
            Exception
        ) as error:  # Airflow's own, or those of a store's backend: `_is_final` tells them apart
            if self._is_final(error):
                raise NotCurrentError(error) from error
            log.warning("Airflow does not record %s: %s", what, said(error))
            return False
        return True

    async def aget(self, key: str) -> Any:
        """Return a value, on an event loop.

        Raises:
            StoreError: Airflow does not return it.
        """
        with _store_errors():
            return await _answer_in_time(self._store.aget(key, None))

    async def aset(self, key: str, value: Any) -> None:
        """Keep a JSON value, on an event loop.

        Raises:
            StoreError: Airflow does not keep it.
        """
        with _store_errors():
            await _answer_in_time(self._store.aset(key, value))

    def _is_final(self, error: Exception) -> bool:
        if isinstance(error, NoAnswerError):
            return False
        if isinstance(error, (OSError, EOFError)):  # from the socket to the supervisor, or from a backend
            try:
                return not _in_time(self._is_supervised)
            except NoAnswerError:
                return False
        return _says_not_current(error)

    def _is_supervised(self) -> bool:
        """Return whether the supervisor answers at all, whatever the answer is."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        ti = self._ti
        try:
            RuntimeTaskInstance.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
        except (OSError, EOFError):
            return False
        except Exception as error:  # noqa: BLE001 - an error is an answer too
            log.debug("Airflow answers, in trouble: %s", said(error))
        return True


class StoreError(Exception):
    """Airflow's store failed; nothing depends on it."""


class NoAnswerError(StoreError):
    """Airflow did not answer in time."""


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn every error of Airflow, or of the backend of its store, into one kind of error."""
    try:
        yield
    except Exception as error:
        raise StoreError(said(error)) from error


def _says_not_current(error: Exception) -> bool:
    """Return whether Airflow says that another attempt has replaced this one, or gives an unknown kind of error."""
    answer = getattr(error, "error", None)  # of an AirflowRuntimeError
    kind = getattr(getattr(answer, "error", None), "value", None)
    detail = getattr(answer, "detail", None)
    status = detail.get("status_code") if isinstance(detail, dict) else None
    if kind is not None and kind not in ("API_SERVER_ERROR", "PERMISSION_DENIED"):
        return True
    if kind is None:  # in the supervisor's own process, as in a DAG's test, the response itself is raised
        status = getattr(getattr(error, "response", None), "status_code", None)
    return status in _NOT_CURRENT


def _in_time(do: Callable[[], T]) -> T:
    """Run a function in a thread, and do not wait for it if it takes too long.

    Raises:
        NoAnswerError: the function did not return in time, or an earlier one still has not returned.
    """
    global _hanging  # noqa: PLW0603 - the process has one connection to Airflow
    if _hanging is not None and _hanging.is_alive():
        msg = "it still owes an earlier answer"
        raise NoAnswerError(msg)
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:  # noqa: BLE001 - it is raised below
            answer.set_exception(error)

    thread = threading.Thread(target=partial(copy_context().run, run), name=THREAD, daemon=True)
    thread.start()
    with clock.held():
        thread.join(LONGEST)
    if not answer.done():
        _hanging = thread
        raise NoAnswerError(_NONE_CAME.format(LONGEST))
    return answer.result()


async def _answer_in_time(answer: Awaitable[T]) -> T:
    """Await an answer of Airflow's on an event loop, also for `LONGEST` at most.

    Raises:
        NoAnswerError: it did not come in time.
    """
    task = asyncio.ensure_future(answer)
    try:
        with clock.held():
            done, _ = await asyncio.wait({task}, timeout=LONGEST)
    finally:
        task.cancel()
    if not done:
        raise NoAnswerError(_NONE_CAME.format(LONGEST))
    return task.result()


def said(error: Exception) -> str:
    """Return the text to log for an error of Airflow's."""
    return printable(f"{type(error).__name__}: {error}")
