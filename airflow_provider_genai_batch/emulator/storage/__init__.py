"""A Cloud Storage server on loopback: fake-gcs-server, and what stands in front of it."""
