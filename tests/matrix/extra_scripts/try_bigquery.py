"""Of the extra bigquery: tables can be counted, by Google's own client."""

from google.cloud import bigquery

from airflow_provider_genai_batch.wire.tables.installed import can_ask

assert can_ask()
assert bigquery.Client
print("bigquery: it works")
