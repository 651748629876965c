"""What a structured answer is: the same model for both sides. Imports nothing but pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Review(BaseModel):
    """What the model was asked for."""

    sentiment: Literal["good", "bad", "mixed"]
    confidence: float
    topics: list[str]
    summary: str
