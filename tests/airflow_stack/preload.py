"""What tasks would import one by one, imported once: their processes are forked from the scheduler's.

An ``AIRFLOW_HOME`` without it shows that tasks import all they need (tests/airflow_stack/test_no_secret_anywhere.py).
"""

from __future__ import annotations

from pathlib import Path

_LOCAL_SETTINGS = '''\
"""Read by every process of Airflow, while Airflow itself is imported: nothing here imports Airflow."""

import sys

if "scheduler" in sys.argv:
    import google.auth.transport.requests
    import google.oauth2.service_account
    from genai_prices import data_snapshot

    import airflow_provider_genai_batch.client
    import airflow_provider_genai_batch.task.attempt
    import airflow_provider_genai_batch.task.settings.order

    data_snapshot.get_snapshot()
'''


def preload(home: Path) -> None:
    """Write it.

    Args:
        home: The ``AIRFLOW_HOME``, whose Airflow has not started.
    """
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS)
