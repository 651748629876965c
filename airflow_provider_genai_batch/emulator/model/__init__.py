"""The simulated model, whose answers depend only on the request."""
