"""Of the extra sql: Airflow's hook of any database is there, and a query over a connection of none is refused by it."""

import os

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.queries import open_query
from airflow_provider_genai_batch.models import SqlSource

os.environ["AIRFLOW_CONN_FOLDER"] = "fs:///tmp"
try:
    with open_query(SqlSource("folder", "SELECT 1")):
        pass
except ConfigurationError as error:
    print("sql: it works" if "does not speak DB-API" in str(error) else error)
