"""The operator behind ``@task.genai_batch``: its requests come from a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import DecoratedOperator, context_merge, determine_kwargs

from airflow_provider_genai_batch.exceptions import ConfigurationError, GenAIBatchError, InputError
from airflow_provider_genai_batch.hooks.function_events import events_of, give_back, keep_label, label_of
from airflow_provider_genai_batch.operators.run import GenAIBatchOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.task.attempt import TaskAttempt


class GenAIBatchDecoratedOperator(DecoratedOperator, GenAIBatchOperator):
    """Call a function and ask what it returns.

    A deferred task resumes in another process, which calls the function again only for what it has to read again: the
    rest of several jobs, requests that failed, keys of rows that are missing, columns of a table.

    Args:
        python_callable: returns, or yields, what `GenAIBatchOperator` takes as ``src``.
        op_args: what it is called with; templated, as in every decorated task.
        op_kwargs: likewise.
        **kwargs: of `GenAIBatchOperator`, except ``src``.
    """

    # What the function returns is data: src is no template here.
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in GenAIBatchOperator.template_fields if name != "src"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **GenAIBatchOperator.template_fields_renderers,
    }
    custom_operator_name: str = "@task.genai_batch"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, src=None, **kwargs
        )
        self._context: Any = None
        self._resumed = False
        self._events: list[Mapping[str, Any]] = []
        self._label: Any = None

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Settle after the trigger fired."""
        self._resumed = True
        return super().execute_complete(context, event)

    def carried(self) -> dict[str, Any]:
        """Return what is kept over a deferral: also what the function did, and what was kept before."""
        give_back(self._context, self.outlets, self._events)
        events = events_of(self._context, self.outlets)
        return {**super().carried(), "events": events, "map_index": label_of(self, self._context)}

    def take_back(self, carried: Mapping[str, Any]) -> None:
        """Take what was kept; the label of a mapped task goes to where Airflow looks for it at the end."""
        super().take_back(carried)
        self._events = [event for event in carried.get("events") or () if isinstance(event, Mapping)]
        self._label = carried.get("map_index")

    def settled(self, context: Context, settle: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Settle with the context as the function left it, whatever process called that."""
        context_merge(context, self.op_kwargs)
        keep_label(context, self._label)

        def with_events() -> dict[str, Any]:
            manifest = settle()
            give_back(context, self.outlets, self._events)
            return manifest

        return super().settled(context, with_events)

    def source(self) -> Any:
        """Call the function, unless what it returned before can be read once more."""
        if self.src is None or isinstance(self.src, Iterator):
            again = self._resumed or self.src is not None
            self.src = self._called_again() if again else self._called()
        return self.src

    @contextmanager
    def _attempt(self, context: Context, links: Mapping[str, str] | None = None) -> Iterator[TaskAttempt]:
        self._context, self.src = context, None
        with super()._attempt(context, links) as attempt:
            yield attempt

    def _called(self) -> Any:
        function = self.python_callable
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            msg = f"{function.__name__} is async: give @task.genai_batch a plain function or generator."
            raise ConfigurationError(msg)
        context_merge(self._context, self.op_kwargs)
        kwargs = determine_kwargs(function, self.op_args, self._context)
        source = function(*self.op_args, **kwargs)
        if source is None:
            msg = f"{function.__name__} returned nothing: return or yield what src accepts."
            raise InputError(msg)
        return source

    def _called_again(self) -> Any:
        """Call it for the requests of an existing job; without them the error is that of any other input."""
        with self._as_input_error():
            source = self._called()
        return self._read_again(source) if isinstance(source, Iterator) else source

    def _read_again(self, items: Iterator[Any]) -> Iterator[Any]:
        with self._as_input_error():
            yield from items

    @contextmanager
    def _as_input_error(self) -> Iterator[None]:
        try:
            yield
        except GenAIBatchError:
            raise
        except Exception as error:  # a user's function raises what it likes
            msg = (
                f"{self.python_callable.__name__} was called again to read the requests of an existing job, and "
                f"raised {type(error).__name__}: {error}"
            )
            raise InputError(msg) from error
