"""Rows of bespokelabs-curator through its batches, which for Gemini are those of Vertex AI."""

from __future__ import annotations

import sys

sys.path.pop(0)

from bespokelabs import curator

PROMPTS = [f"say {number}" for number in range(3)]

llm = curator.LLM(
    model_name="gemini-2.5-flash",
    backend="gemini",
    batch=True,
    backend_params={"batch_size": 3, "batch_check_interval": 1},
)
found = llm(PROMPTS)
found = getattr(found, "dataset", found)
right = sum(f"Answer to: {prompt}" in str(list(found)) for prompt in PROMPTS)
print(f"right: {right} of {len(PROMPTS)}")
