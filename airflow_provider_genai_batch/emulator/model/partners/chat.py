"""Answers of a simulated open model: OpenAI's ChatCompletion, with the members that Google's managed models add."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.names import last_part
from airflow_provider_genai_batch.emulator.model.schemas.schema import fitting, said_or_fitting
from airflow_provider_genai_batch.emulator.model.text import (
    content_text,
    cut,
    number_of,
    plain_answer,
    tokens,
)
from airflow_provider_genai_batch.emulator.model.tools import chosen_of

_LEAST_CACHED = 32
"""Prompts with at least this many tokens may be partly cached; the service's own number is larger."""


def completion(request: JsonObject, model: str, created: int, said: Any = None) -> JsonObject:
    """Return the ChatCompletion that answers a body.

    Args:
        request: A checked body.
        model: The resource name of the job's model.
        created: Seconds since 1970.
        said: Text, JSON or a whole completion from a script or a test's function.
    """
    if isinstance(said, dict) and "choices" in said:
        return said
    seed = json.dumps(request, sort_keys=True)
    whole_prompt = "\n".join(content_text(one.get("content")) for one in request["messages"])
    choices = [
        _choice(request, model, f"{seed}#{at}" if at else seed, at, said)
        for at in range(request.get("n") or 1)
    ]
    name = "/".join(model.split("/")[-3::2])
    return {
        "id": f"chatcmpl-{number_of(seed):012x}",
        "object": "chat.completion",
        "created": created,
        "model": name,
        "choices": choices,
        "usage": _usage(whole_prompt, choices),
        "metadata": {"weight_version": "default"},
    }


def finished(response: JsonObject, reason: str, keep: bool | None) -> JsonObject:
    """Return a completion with another finish reason; filtered ones have no content."""
    kept = reason != "content_filter" if keep is None else keep
    ended = {**response, "choices": [{**one, "finish_reason": reason} for one in response.get("choices", [])]}
    return ended if kept else emptied(ended)


def emptied(response: JsonObject) -> JsonObject:
    """Return a completion without content."""
    bare = [{**one, "message": {"role": "assistant", "content": None}} for one in response.get("choices", [])]
    return {**response, "choices": bare}


def filtered(model: str, created: int) -> JsonObject:
    """Return the completion for a blocked prompt."""
    request = {"messages": [{"role": "user", "content": "blocked"}]}
    return finished(completion(request, model, created), "content_filter", keep=False)


def _choice(request: JsonObject, model: str, seed: str, at: int, said: Any) -> JsonObject:
    prompt = content_text(request["messages"][-1].get("content"))
    system = "\n".join(
        content_text(one.get("content"))
        for one in request["messages"]
        if one["role"] in {"system", "developer"}
    )
    message: JsonObject = {"role": "assistant"}
    if "gpt-oss" in last_part(model):
        message["reasoning_content"] = f"The user asks: {' '.join(prompt.split())[:80]}"
    tool = _called(request, prompt)
    if tool is not None and not isinstance(said, str):
        arguments = said if said is not None else fitting(tool.get("parameters") or {}, seed)
        call = {
            "id": f"call_{number_of(seed + tool['name']):012x}",
            "type": "function",
            "function": {"name": tool["name"], "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        message |= {"content": None, "tool_calls": [call]}
        return {"index": at, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    text, reason, stop = _text(request, prompt, system, seed, said), "stop", None
    for one in _stops(request):
        if one in text:
            text, stop = text.split(one, 1)[0], one
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    if limit is not None and tokens(text) > limit:
        text, reason = cut(text, limit), "length"
    message["content"] = text
    choice = {
        "index": at,
        "message": message,
        "finish_reason": reason,
        "logprobs": None,
        "matched_stop": stop,
    }
    if request.get("logprobs"):
        choice["logprobs"] = {"content": [_token(word, seed) for word in text.split()], "refusal": None}
    return choice


def _token(word: str, seed: str) -> JsonObject:
    chance = -(number_of(seed + word) % 3000) / 1000
    return {"token": word, "bytes": list(word.encode()), "logprob": chance, "top_logprobs": []}


def _stops(request: JsonObject) -> list[str]:
    stop = request.get("stop") or []
    return [stop] if isinstance(stop, str) else stop


def _text(request: JsonObject, prompt: str, system: str, seed: str, said: Any) -> str:
    wanted = request.get("response_format") or {}
    schema = wanted["json_schema"]["schema"] if wanted.get("type") == "json_schema" else None
    if (given := said_or_fitting(said, schema, seed)) is not None:
        return given
    text = plain_answer(prompt, system)
    return json.dumps({"answer": text}, ensure_ascii=False) if wanted.get("type") == "json_object" else text


def _called(request: JsonObject, prompt: str) -> JsonObject | None:
    """Return the function that is called: the forced one, or one named in the prompt."""
    functions: list[JsonObject] = [tool["function"] for tool in request.get("tools") or ()]
    choice = request.get("tool_choice", "auto")
    if choice == "none":
        return None
    if isinstance(choice, dict):
        return next(one for one in functions if one["name"] == choice["function"]["name"])
    return chosen_of(functions, prompt, forced=choice == "required")


def _usage(prompt: str, choices: list[JsonObject]) -> JsonObject:
    """Count tokens; cached ones are included in ``prompt_tokens``."""
    asked = tokens(prompt)
    cached = asked // 2 if asked >= _LEAST_CACHED and number_of(prompt) % 2 else 0
    reasoned = sum(tokens(one["message"].get("reasoning_content") or "") for one in choices)
    said = sum(
        tokens(one["message"].get("content") or json.dumps(one["message"].get("tool_calls")))
        for one in choices
    )
    usage: JsonObject = {
        "prompt_tokens": asked,
        "completion_tokens": said + reasoned,
        "total_tokens": asked + said + reasoned,
        "prompt_tokens_details": {"cached_tokens": cached},
        "extra_properties": {"google": {"traffic_type": "ON_DEMAND"}},
    }
    if reasoned:
        usage["reasoning_tokens"] = reasoned
    return usage
