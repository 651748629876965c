"""A Cloud Storage server on loopback: fake-gcs-server, and a front before it."""
