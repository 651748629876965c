"""The base of all nouns."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from airflow_provider_genai_batch.printable import printable


class Noun(BaseModel):
    """A frozen value, snake_case, that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Line = Annotated[str, AfterValidator(printable)]
"""One line of text that somebody else wrote, fit for logs, messages and XCom."""


class Backend(str, Enum):
    """The two services."""

    GEMINI = "gemini"
    VERTEX = "vertex"

    def __str__(self) -> str:
        """Show the word, not the member."""
        return self.value


class Task(str, Enum):
    """What a job asks of the model."""

    GENERATE = "generate"
    EMBED = "embed"
