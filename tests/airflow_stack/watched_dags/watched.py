"""DAGs that run when batch jobs end that nobody in Airflow has submitted."""

from __future__ import annotations

import json
from pathlib import Path

from airflow.sdk import DAG, Asset, AssetWatcher, Variable, task

from airflow_provider_genai_batch.triggers.job_events import GenAIBatchJobsTrigger

for team in ("red", "blue"):
    trigger = GenAIBatchJobsTrigger("genai_batch_watched", display_name=f"{team}-*", poll_interval=1)
    asset = Asset(f"{team}_jobs", watchers=[AssetWatcher(name=f"{team}_ended", trigger=trigger)])

    with DAG(f"on_{team}", schedule=[asset]):

        @task
        def note(triggering_asset_events):
            for events in triggering_asset_events.values():
                for event in events:
                    payload = event.extra["payload"]
                    file = Path(Variable.get("folder")) / f"{payload['display_name']}.json"
                    file.write_text(json.dumps(payload))

        note()
