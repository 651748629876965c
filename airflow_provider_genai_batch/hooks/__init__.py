"""Hooks: they turn Airflow connections into clients, and read and write what Airflow keeps about a task."""
