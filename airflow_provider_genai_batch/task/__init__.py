"""One attempt of a task. It reaches Airflow only through a port, so it runs in a test without Airflow."""
