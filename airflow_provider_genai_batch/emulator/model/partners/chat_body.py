"""The body of an open model's row: OpenAI's chat completions, as far as the models in batches support them.

Sources: the types of OpenAI's client and Google's pages on managed open models. Prompts are text only, and gpt-oss
supports only the tool choices auto and none. No page says how the service treats unknown members; here they are
refused, as OpenAI's own API does.
"""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.jsontypes import Json, JsonObject
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.partners.shapes import (
    anything,
    either,
    flag,
    free,
    items,
    members,
    null,
    number,
    refused,
    said,
    tagged,
    text,
    whole,
    words,
)

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TEXT_ONLY = refused("only text is supported in batch prediction")
_PART = tagged(
    {
        "text": members({"type": anything, "text": text()}),
        "image_url": _TEXT_ONLY,
        "input_audio": _TEXT_ONLY,
        "file": _TEXT_ONLY,
    }
)
_CALL = members(
    {
        "id": text(),
        "type": words("function"),
        "function": members({"name": text(), "arguments": text()}),
    }
)
_MESSAGE = members(
    {"role": words(*_ROLES)},
    {
        "content": either(null, text(), items(_PART)),
        "name": text(),
        "tool_calls": items(_CALL),
        "tool_call_id": text(),
        "reasoning_content": either(null, text()),
        "refusal": either(null, text()),
    },
)
_NAME = r"[a-zA-Z0-9_-]{1,64}"
_FUNCTION = members(
    {"name": text(_NAME)}, {"description": text(), "parameters": free, "strict": either(null, flag)}
)
_TOOL = members({"type": words("function"), "function": _FUNCTION})
_CHOICE = either(
    words("auto", "none", "required"),
    members({"type": words("function"), "function": members({"name": text(_NAME)})}),
)
_FORMAT = tagged(
    {
        "text": members({"type": anything}),
        "json_object": members({"type": anything}),
        "json_schema": members(
            {
                "type": anything,
                "json_schema": members(
                    {"name": text(_NAME), "schema": free},
                    {"description": text(), "strict": either(null, flag)},
                ),
            }
        ),
    }
)
_LIMIT = either(null, whole(1))


def _not_streamed(value: Json, path: str) -> str | None:
    return said(path, "streaming is not supported in batch prediction") if value else None


_BODY = members(
    {"messages": items(_MESSAGE, least=1)},
    {
        "model": text(),
        "max_tokens": _LIMIT,
        "max_completion_tokens": _LIMIT,
        "temperature": either(null, number(0, 2)),
        "top_p": either(null, number(0, 1)),
        "top_k": either(null, whole(-1)),
        "n": either(null, whole(1)),
        "seed": either(null, whole()),
        "stop": either(null, text(), items(text())),
        "presence_penalty": either(null, number(-2, 2)),
        "frequency_penalty": either(null, number(-2, 2)),
        "logit_bias": either(null, free),
        "logprobs": either(null, flag),
        "top_logprobs": either(null, whole(0)),
        "response_format": _FORMAT,
        "tools": items(_TOOL),
        "tool_choice": _CHOICE,
        "parallel_tool_calls": flag,
        "reasoning_effort": either(null, words("low", "medium", "high")),
        "user": text(),
        "metadata": either(null, free),
        "stream": _not_streamed,
    },
)


def check_body(request: JsonObject, model: str) -> None:
    """Refuse a body that the service would refuse.

    Args:
        request: The row's ``body``.
        model: The resource name of the job's model; the model in the body is not used.

    Raises:
        RowError: With code 3.
    """
    wrong = _BODY(request, "") or _at_odds(request, model)
    if wrong:
        raise RowError(3, wrong)


def _at_odds(request: JsonObject, model: str) -> str | None:
    choice = request.get("tool_choice")
    if choice in (None, "auto", "none"):
        return None
    if "gpt-oss" in model:
        return "tool_choice: only 'auto' and 'none' are supported for this model"
    names = [tool["function"]["name"] for tool in request.get("tools") or ()]
    if not names:
        return "tool_choice: may only be specified while providing tools"
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        return f"tool_choice: '{choice['function']['name']}' is none of the tools"
    return None
