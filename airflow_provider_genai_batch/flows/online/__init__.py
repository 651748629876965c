"""Immediate calls instead of jobs: what a refusal means, when the next call may be sent, how long a row is tried."""
