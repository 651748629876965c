"""The triggers: for jobs that end, for places that become free, and for asset watchers; none holds a worker slot."""
