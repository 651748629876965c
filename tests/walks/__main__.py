"""``python -m tests.walks``: print the walks, a line for each stay in a file, and how long they are."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import tests.conftest  # noqa: F401 - sets Airflow up, before anything imports it
from airflow_provider_genai_batch.emulator import Emulator, Lifecycle


def main() -> None:
    """Record each on an emulator of its own."""
    from tests.walks.walks import to_create, to_event, to_manifest

    with tempfile.TemporaryDirectory(prefix="walks-") as folder:
        walks = {
            "execute -> create": to_create,
            "execute_complete -> manifest": lambda: to_manifest(Path(folder)),
            "run -> event": to_event,
        }
        for name, record in walks.items():
            with Emulator(lifecycle=Lifecycle.at_once()) as emulator:
                os.environ["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"] = json.dumps(emulator.connection("gemini"))
                walk = record()
            print(f"{name}: {len(walk.files)} files, {walk.moves} moves")  # noqa: T201 - for whoever asked
            for file, function in walk.hops:
                print(f"    {file}: {function}")  # noqa: T201 - likewise


main()
