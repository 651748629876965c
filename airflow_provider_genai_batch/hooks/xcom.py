"""Requests and rows as XComs: Airflow deserializes objects of trusted classes only."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

_CLASSES = (
    "airflow_provider_genai_batch.models.request.BatchRequest",
    "airflow_provider_genai_batch.models.row.ResultRow",
)
_SERDES = ("airflow.sdk.serde", "airflow.serialization.serde")
"""Of Airflow 3.2 and later, and of those before."""


def trust_models() -> None:
    """Let this process pull `BatchRequest` and `ResultRow`, as ``[core] allowed_deserialization_classes`` would.

    They hold plain data. Done where a DAG file imports an operator, a decorator or the hook of this package. Airflow
    has a function for it since 3.3, which wants the classes themselves; its set of names does without loading them.
    """
    for name in _SERDES:
        try:
            serde: Any = import_module(name)
        except ImportError:
            continue
        trusted: Any = getattr(serde, "_extra_allowed", None)
        if isinstance(trusted, set):
            trusted.update(_CLASSES)
            return
    log.debug("Airflow takes no classes here; name them in [core] allowed_deserialization_classes.")
