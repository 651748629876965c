"""A batch of litellm on the Gemini API."""

from __future__ import annotations

from litellm_calls import run

run("gemini", model="gemini/gemini-2.5-flash")
