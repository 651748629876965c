"""Other models, connections and tiers, tried in turn where a job of the one before does not leave the queue."""
