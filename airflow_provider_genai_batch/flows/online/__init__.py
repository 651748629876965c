"""Asking at once: what a refusal means, when the next call may be sent, how long a row is tried; no call is made."""
