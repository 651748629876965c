"""Requests and rows of partners' models: Claude, Llama and gpt-oss."""
