"""Protocols as generators that yield steps in order. They do no I/O, and import neither httpx nor Airflow."""
