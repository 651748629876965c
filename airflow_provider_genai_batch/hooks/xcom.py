"""Makes requests and rows usable as XComs: Airflow deserializes only objects of trusted classes."""

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
"""The module in Airflow 3.2 and later, and the one in earlier versions."""


def trust_models() -> None:
    """Let this process pull `BatchRequest` and `ResultRow`, as ``[core] allowed_deserialization_classes`` would.

    They hold plain data. This runs when a DAG file imports an operator, a decorator or the hook of this package.
    Airflow has a function for this since 3.3, but it needs the classes themselves; its set of names does not, so the
    classes need not be imported.
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
