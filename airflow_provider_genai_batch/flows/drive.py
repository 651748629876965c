"""The loops that carry out the steps of a flow, in this thread or on the event loop.

`client.polling.driver` has the third.

A step's result is sent back into the flow. An error of this package is thrown into it, so that a flow can catch it with
``try`` around its ``yield``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from airflow_provider_genai_batch.exceptions import GenAIBatchError

S = TypeVar("S")
T = TypeVar("T")


def drive(flow: Generator[S, Any, T], act: Callable[[S], Any]) -> T:
    """Carry out every step with `act` and return what the flow returns."""
    try:
        step = next(flow)
        while True:
            try:
                result = act(step)
            except GenAIBatchError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration carries Any
    finally:
        flow.close()


async def adrive(flow: Generator[S, Any, T], act: Callable[[S], Awaitable[Any]]) -> T:
    """`drive` for steps that are awaited."""
    try:
        step = next(flow)
        while True:
            try:
                result = await act(step)
            except GenAIBatchError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration carries Any
    finally:
        flow.close()
