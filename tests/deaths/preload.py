"""What each process of a life needs is loaded once, by the server that forks them all."""

from __future__ import annotations

import gc

import google.auth.transport.requests
import google.cloud.bigquery
import google.oauth2.service_account  # noqa: F401 - as all of these
import trio  # noqa: F401 - httpcore asks for it
from genai_prices import data_snapshot

from airflow_provider_genai_batch.client.transport import http
from tests.deaths import process  # noqa: F401

http.ssl_context()
http.httpx.Client(verify=False).close()
data_snapshot.get_snapshot()
gc.collect()
gc.freeze()  # so that a full collection in a process looks at what is its own
