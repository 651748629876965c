"""What the services run in a batch: publishers, models, locations, and the limits of one job."""
