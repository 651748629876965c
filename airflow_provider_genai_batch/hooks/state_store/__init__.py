"""Airflow's task state store (3.3 and later): a shortcut, and never needed."""
