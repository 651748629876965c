"""The demonstration: real texts, two of the example DAGs, a real Airflow and the emulator; ``make demo``."""
