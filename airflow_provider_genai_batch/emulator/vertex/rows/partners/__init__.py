"""Rows of partner and open models: Claude, and the models of OpenAI and Meta that Google serves."""
