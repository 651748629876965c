"""What one attempt of a task does. It sees Airflow through a port only, so that it runs in a test without Airflow."""
