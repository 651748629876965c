"""Reports of a task to Airflow: metrics, lineage, datasets and events of outlets."""
