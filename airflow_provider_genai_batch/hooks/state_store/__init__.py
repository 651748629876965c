"""Airflow's task state store (3.3 and later), used as a shortcut; nothing depends on it."""
