"""The name of the shared Airflow under which tests of this folder know it."""

from __future__ import annotations

from tests.shared_airflow.unscheduled import SharedAirflow

__all__ = ["SharedAirflow"]
