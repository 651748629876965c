"""HTTP calls, their retries, and what is kept out of logs. httpx is imported here alone."""
