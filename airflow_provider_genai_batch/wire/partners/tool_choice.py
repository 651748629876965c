"""Checks ``tool_choice`` of a whole request to a partner's model: it must name an existing tool, or none.

Source: the errors that Anthropic's and OpenAI's references of ``tool_choice`` describe; the model card of gpt-oss on
Vertex AI (``auto`` and ``none`` only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.values import mapping

_FREE = (None, "auto", "none")
_THINKS = ("enabled", "adaptive")


def check_tool_choice(body: Mapping[str, Any], family: Family, model: str) -> None:
    """Refuse a choice that the model cannot make.

    Args:
        body: the whole request, with the job's defaults.
        family: the model's family.
        model: the job's model.

    Raises:
        RequestError: it names a tool that does not exist, or the model cannot be forced to call one.
    """
    choice = body.get("tool_choice")
    word = mapping(choice).get("type") if isinstance(choice, dict) else choice
    if word in _FREE:
        return
    if "gpt-oss" in model:
        msg = f"tool_choice is {choice!r}, and gpt-oss takes auto or none"
        raise RequestError(msg, "Leave it out, or take Llama 4, Claude or Gemini.")
    names = [_name(tool, family) for tool in body.get("tools") or ()]
    if not names:
        msg = "tool_choice asks for a tool, and there are no tools"
        raise RequestError(msg, "Give tools, or leave tool_choice out.")
    name = _name(choice, family) if isinstance(choice, dict) else None
    if name is not None and name not in names:
        msg = f"tool_choice names {name!r}, which is none of the tools"
        raise RequestError(msg, f"There are {', '.join(sorted(map(str, names)))}.")
    if family is Family.ANTHROPIC and mapping(body.get("thinking")).get("type") in _THINKS:
        msg = "Claude does not take thinking together with a tool_choice that forces a call"
        raise RequestError(
            msg, "Leave thinking out, or leave out output_type (or tool_choice), which forces the call."
        )


def _name(tool: Any, family: Family) -> Any:
    """Return the name in a tool or in a tool choice."""
    return mapping(tool if family is Family.ANTHROPIC else mapping(tool).get("function")).get("name")
