"""Errors before anything is submitted: their messages say that nothing is billed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded, InputError

_FIRST = "Nothing was submitted, and nothing is billed. The next attempt does the same unless this is fixed."
_RETRY = (
    "This attempt submitted nothing, and nothing is billed for it; a job of an earlier attempt, if there is one, was "
    "left as it is. The next attempt does the same unless this is fixed."
)
_SAID = ("nothing is billed", "no others are submitted")


@contextmanager
def refusals(has_jobs: Callable[[], bool], *, again: bool) -> Iterator[None]:
    """Add to errors that happen before the task has a job that nothing is billed.

    Args:
        has_jobs: returns whether the attempt has a job yet.
        again: whether there were attempts before this one.
    """
    try:
        yield
    except (InputError, ConfigurationError, CostLimitExceeded) as error:
        if not has_jobs() and not any(words in str(error) for words in _SAID):
            error.add(_RETRY if again else _FIRST)
        raise
