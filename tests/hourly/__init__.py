"""An hourly DAG from BigQuery to BigQuery on a real Airflow, whose task dies at each of its steps."""
