"""The classes that DAGs use, and their parameters."""

from __future__ import annotations

import inspect
from typing import Any

from airflow_provider_genai_batch.operators import genai_batch
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor

CLASSES = {
    cls.__name__: cls
    for cls in (*(getattr(genai_batch, name) for name in genai_batch.__all__), GenAIBatchSensor)
    if isinstance(cls, type)
}


def parameters(function: Any) -> dict[str, str]:
    """Return parameters that are by name, with their defaults as code; empty for none."""
    return {
        name: "" if parameter.default is inspect.Parameter.empty else repr(parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def of_class(cls: type) -> dict[str, str]:
    """Return the parameters of an operator and of its bases in this package."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("airflow_provider_genai_batch"):
            own = inspect.unwrap(base.__init__) if "__init__" in vars(base) else None
            found |= parameters(own) if own else {}
    return found
