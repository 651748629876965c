"""HTTP calls, their retries, and the redaction of secrets. Only this room imports httpx."""
