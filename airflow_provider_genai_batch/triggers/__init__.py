"""The trigger that waits without a worker slot."""
