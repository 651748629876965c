"""What a task reports to Airflow: metrics, lineage, datasets and events of outlets."""
