"""Earlier results that answer requests of a new run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_genai_batch.models.base import Noun


class Reuse(Noun):
    """Which earlier results are used again, and how old their answers may be."""

    results: Any = True
    """Where earlier rows landed: an address or path (with ``*``: several), a manifest, or a list of these. True: the
    rows at the task's own ``results_uri``, and those of its latest earlier run with a manifest."""
    max_age: timedelta | None = None
    """Requests with older answers are sent again; None: no answer is too old."""
    missing_ok: bool = True
    """Missing earlier results are not an error, for example in the first run."""

    def __init__(self, results: Any = True, **settings: Any) -> None:
        super().__init__(**{"results": results, **settings})
