"""The catalog of batch: publishers, models, locations, and the limits of one job."""
