"""Prompts for partners' models: from Google's ``contents`` to ``messages``.

Source: Anthropic's Messages API; OpenAI's chat completions; "Claude on Vertex AI" lists what is not supported there.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.values import standard_base64

_PICTURES, _PDF = ("image/jpeg", "image/png", "image/gif", "image/webp"), "application/pdf"
"""What Claude reads beside text."""
_ROLES = {"user": "user", "model": "assistant", "": "user"}
_OWN = "Write it as messages in the model's own words, or take a Gemini model."


def messages_of(contents: list[dict[str, Any]], family: Family, model: str) -> list[dict[str, Any]]:
    """Convert the turns of a conversation.

    Args:
        contents: in the form that `wire.prompts.content` returns.
        family: the family that the messages are for.
        model: the job's model.

    Raises:
        RequestError: a part or role that the partner does not have.
    """
    messages = []
    for index, turn in enumerate(contents):
        path = f"contents[{index}]"
        role = _ROLES.get(turn.get("role", "user"))
        if role is None:
            msg = f"{path} has the role {turn['role']!r}, which the model does not know"
            raise RequestError(msg, _OWN)
        parts = [
            _part(part, f"{path}.parts[{number}]", family, model) for number, part in enumerate(turn["parts"])
        ]
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        messages.append({"role": role, "content": parts[0]["text"] if plain else parts})
    return messages


def system_text(content: dict[str, Any]) -> str:
    """Return a system instruction as one text.

    Raises:
        RequestError: it contains something other than text.
    """
    texts = [part.get("text") for part in content.get("parts", [])]
    if not texts or not all(isinstance(text, str) for text in texts):
        msg = "system_instruction is not text alone"
        raise RequestError(msg, "Give text, and put other parts into the prompt.")
    return "\n\n".join(texts)


def _part(part: dict[str, Any], path: str, family: Family, model: str) -> dict[str, Any]:
    names = set(part)
    if names == {"text"} and not part["text"]:
        msg = f"{path} is an empty text"
        raise RequestError(msg, "Leave it out, or write something.")
    if names == {"text"}:
        return {"type": "text", "text": part["text"]}
    if names == {"inlineData"}:
        return _picture(part["inlineData"], path, family, model)
    if "fileData" in names:
        msg = f"{path} is a file at an address, which the model does not read in a batch"
        raise RequestError(msg, "Give a picture's bytes as inline_data, or take a Gemini model.")
    odd = next(name for name in sorted(names) if name != "text")
    msg = f"{path} has {odd}, which the model does not know"
    raise RequestError(msg, _OWN)


def _picture(data: dict[str, Any], path: str, family: Family, model: str) -> dict[str, Any]:
    kind, encoded = str(data.get("mimeType", "")), data.get("data", "")
    picture = kind in _PICTURES or (kind != "" and "/" not in kind)  # or a placeholder
    if family is Family.ANTHROPIC and (picture or kind == _PDF):
        word = "image" if picture else "document"
        source = {"type": "base64", "media_type": kind, "data": standard_base64(encoded)}
        return {"type": word, "source": source}
    msg = f"{path} is {kind if '/' in kind else 'data'}, which {model.rpartition('/')[2]} does not read"
    some = f"one of {', '.join((*_PICTURES, _PDF))}" if family is Family.ANTHROPIC else "text"
    raise RequestError(msg, f"Give {some}, or take a Gemini model.")
