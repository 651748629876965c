"""Airflow set up for tests in this process, before anything imports it, and the fixtures that users have too."""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any

import pytest
from hypothesis import settings

from tests.throwaway import folder, in_memory

# How long an example takes is the machine's business.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# To read the certificates of all authorities takes 40 ms of CPU time, and each of many clients of httpx does it.
ssl.create_default_context = functools.cache(ssl.create_default_context)

_HOME = folder("genai-batch-airflow", in_memory())
(_HOME / "dags").mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-" * 6,
    "NO_PROXY": "127.0.0.1,localhost",
    # gcsfs would otherwise ask a control server that no emulator has, for minutes.
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
}

pytest_plugins = [
    "airflow_provider_genai_batch.testing",
    "tests.shared_airflow.groups",
    "tests.shared_airflow.scheduled",
    "tests.shared_airflow.unscheduled",
]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares one Airflow."""
    from tests.scheduling import make

    return make(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end nothing else would be left for the other processes to do."""
    from tests.shared_airflow.groups import QUEUES

    longest = [*(file for queue in QUEUES for file in queue), "tests/wire/test_asked_and_checked.py"]
    ranks = {file: rank for rank, file in enumerate(longest)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Let jobs go on at the first look, as they do at Google's."""
    return {}
