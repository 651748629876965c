"""Protocols as generators: what to do next, in which order. They do no I/O and know no httpx and no Airflow."""
