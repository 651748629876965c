"""Triggers: for the end of jobs, for pauses, and for asset watchers. None of them holds a worker slot."""
