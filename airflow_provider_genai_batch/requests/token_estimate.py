"""The maximum number of tokens that requests may use, estimated from their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.wire.schemas.json_schema import SCHEMAS
from airflow_provider_genai_batch.wire.spelling import camel

BYTES_A_TOKEN = 4
"""For text in UTF-8. Google says that a Gemini token is about four characters; that holds for English. In scripts with
two to four bytes per character, a token has fewer characters but about as many bytes."""
MOST_OUTPUT = 65_536
"""Tokens of an answer, including thoughts, if a request sets no ``maxOutputTokens``. No Gemini model returns more; the
documented default of each is its maximum."""
_MEDIA = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_WORDS = frozenset({"role", "type", "thoughtSignature", "thought_signature"})
"""Strings that are not text."""


@dataclass
class TokenEstimate:
    """Tokens of some requests.

    Attributes:
        requests: how many requests.
        input: tokens of all prompts.
        output: the most tokens of all answers.
        long_input: the part of `input` in prompts over `LONG_PROMPT`.
        long_output: the part of `output` for such prompts.
        unbounded: requests without ``maxOutputTokens``.
        unsized: pictures, files and cached contents, whose tokens are not in `input`.
    """

    requests: int = 0
    input: float = 0
    output: int = 0
    long_input: float = 0
    long_output: int = 0
    unbounded: int = 0
    unsized: int = 0

    def add(self, rows: Iterable[Mapping[str, Any]], *, answers: bool = True) -> TokenEstimate:
        """Add requests in the form of file lines or create-call entries; return the estimate itself.

        Args:
            rows: ``{"key", "request"}``, partners' lines, or bare requests.
            answers: whether answers are paid for; embeddings are not.
        """
        for row in rows:
            request = row.get("request", row.get("body", row))
            tokens = self._asked(request) / BYTES_A_TOKEN
            output = self._most_answered(request) if answers else 0
            self.requests += 1
            self.input += tokens
            self.output += output
            if tokens > LONG_PROMPT:
                self.long_input += tokens
                self.long_output += output
        return self

    def times(self, share: float) -> TokenEstimate:
        """Return the tokens of a share of the requests, assuming that they are alike."""
        requests, asked = round(self.requests * share), (self.input * share, self.long_input * share)
        answered = round(self.output * share), round(self.long_output * share)
        others = round(self.unbounded * share), round(self.unsized * share)
        return TokenEstimate(requests, asked[0], answered[0], asked[1], answered[1], *others)

    def _asked(self, request: Mapping[str, Any]) -> int:
        """Return the bytes of a prompt and of the fields that count as input."""
        size = 0
        for spelled, value in request.items():
            name = camel(spelled) if "_" in spelled else spelled
            if name in ("contents", "content", "systemInstruction", "messages", "system"):
                size += self._text(value)
            elif name in ("tools", "responseFormat"):
                size += len(to_json(value))
            elif name == "generationConfig" and isinstance(value, dict):
                size += sum(len(to_json(item)) for key, item in value.items() if camel(key) in SCHEMAS)
            elif name == "cachedContent":
                self.unsized += 1
        return size

    def _text(self, value: Any) -> int:
        """Return the bytes of all text in a value."""
        if isinstance(value, str):
            return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
        if isinstance(value, list):
            return sum(map(self._text, value))
        size = 0
        if isinstance(value, dict):
            for name, item in value.items():
                if name in _MEDIA or (name == "source" and isinstance(item, dict)):
                    self.unsized += 1
                elif name not in _WORDS:
                    size += self._text(item)
        return size

    def _most_answered(self, request: Mapping[str, Any]) -> int:
        config = request.get("generationConfig") or request.get("generation_config")
        fields = {camel(name): value for name, value in config.items()} if isinstance(config, dict) else {}
        most, candidates = fields.get("maxOutputTokens"), fields.get("candidateCount")
        if "messages" in request:  # a partner's request
            most = request.get("max_tokens", request.get("max_completion_tokens"))
            candidates = request.get("n")
        if not isinstance(most, int) or most <= 0:
            self.unbounded += 1
            most = MOST_OUTPUT
        return (most if "messages" in request else min(most, MOST_OUTPUT)) * (
            candidates if isinstance(candidates, int) and candidates > 1 else 1
        )
