"""Rows of partner and open models: Claude, and what Google serves of OpenAI's and Meta's."""
