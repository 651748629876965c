"""Families of models: the publisher decides how requests are written and how rows are read."""

from __future__ import annotations

from enum import Enum


class Family(str, Enum):
    """One format of requests and answers."""

    GOOGLE = "google"
    """Gemini and Google's embedding models, on both services."""
    ANTHROPIC = "anthropic"
    """Claude on Vertex AI: the body of the Messages API."""
    OPENAI = "openai"
    """Open models on Vertex AI, Llama 4 and gpt-oss among them: the body of chat completions."""

    def __str__(self) -> str:
        """Show the word, not the member."""
        return self.value
