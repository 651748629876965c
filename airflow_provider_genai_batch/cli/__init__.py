"""The command line: ``airflow genai-batch``, or ``python -m airflow_provider_genai_batch`` on older Airflow."""
