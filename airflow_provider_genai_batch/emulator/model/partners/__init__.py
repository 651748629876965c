"""Answers and refusals of simulated partner and open models."""
