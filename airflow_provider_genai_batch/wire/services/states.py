"""Job states: names with two prefixes, or integers."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.models import JobState
from airflow_provider_genai_batch.printable import printable

_LONGEST = 100
"""The most characters of an unknown state."""
_BY_NUMBER = tuple(JobState)  # for answers with enum-encoding=int
_BY_NAME = {state.value: state for state in JobState}


def read_state(value: Any) -> tuple[JobState, str]:
    """Read ``BATCH_STATE_X``, ``JOB_STATE_X``, ``X`` or a number; return the original spelling as well.

    Captures of the Gemini API show ``BATCH_STATE_``, the samples in its guide ``JOB_STATE_``.
    """
    if isinstance(value, int) and 0 <= value < len(_BY_NUMBER):
        return _BY_NUMBER[value], str(value)
    raw = printable(str(value or ""), _LONGEST)
    name = raw.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    return _BY_NAME.get(name, JobState.UNSPECIFIED), raw
