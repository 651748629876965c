"""Of the extra common-ai: Airflow's @task.llm_batch finds an adapter for each service."""

from importlib.metadata import entry_points

from airflow.providers.common.ai.decorators.llm_batch import llm_batch_task

found = {
    entry.name: entry.load() for entry in entry_points(group="airflow.providers.common.ai.batch_adapters")
}
assert {"google", "google-cloud"} <= found.keys(), found
assert llm_batch_task
print("common_ai: it works")
