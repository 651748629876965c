"""Other models, connections and tiers, tried one after the other when a job does not leave the queue."""
