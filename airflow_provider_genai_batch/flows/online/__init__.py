"""Requests asked by calls instead of jobs: what a refusal means, when the next call may go, how long a row is tried."""
