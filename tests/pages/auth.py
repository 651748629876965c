"""Airflow's simple auth manager, except that some DAGs are for nobody."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class HidingAuthManager(SimpleAuthManager):
    """Knows of DAGs that nobody may read."""

    hidden: ClassVar[set[str]] = set()

    def is_authorized_dag(self, *, details: Any = None, **request: Any) -> bool:
        """Refuse a hidden DAG."""
        if details is not None and details.id in self.hidden:
            return False
        return super().is_authorized_dag(details=details, **request)
