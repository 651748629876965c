"""Earlier results that answer requests of today."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_genai_batch.models.base import Noun


class Reuse(Noun):
    """Which earlier results are used again, and how old their answers may be."""

    results: Any = True
    """Where earlier rows landed: an address or path, with ``*`` in it several; a manifest; a list of these; or True:
    what stands at the task's own ``results_uri``, and what its last earlier run with a manifest landed."""
    max_age: timedelta | None = None
    """Answers that are older are asked again; None: none is too old."""
    missing_ok: bool = True
    """Earlier results that are not there are no error, as on the first night."""

    def __init__(self, results: Any = True, **settings: Any) -> None:
        super().__init__(**{"results": results, **settings})
