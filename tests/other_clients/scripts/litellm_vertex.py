"""A batch of litellm on Vertex AI."""

from __future__ import annotations

import os

os.environ["GCS_BUCKET_NAME"] = os.environ["GEMINI_BUCKET_NAME"]
os.environ["VERTEXAI_PROJECT"] = os.environ["GOOGLE_CLOUD_PROJECT"]
os.environ["VERTEXAI_LOCATION"] = "us-central1"
os.environ["GCS_PATH_SERVICE_ACCOUNT"] = os.environ["GOOGLE_APPLICATION_CREDENTIALS"]

import litellm
from litellm_calls import run

# It looks hosts up by itself before it asks them, and a proxy's hosts need no name service; its own switch.
litellm.user_url_validation = False
run(
    "vertex_ai",
    vertex_project=os.environ["GOOGLE_CLOUD_PROJECT"],
    vertex_location="us-central1",
    vertex_credentials=os.environ["GOOGLE_APPLICATION_CREDENTIALS"],
)
