"""The terms of a task: its job parameters, tiers, cost limit and deadline."""
