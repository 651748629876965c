"""One attempt of a task. It sees Airflow through a port only, so that it runs in a test without Airflow."""
