"""One request to a partner's model: from any spelling that users write to the body of one line.

A prompt in Google's spelling is translated. A request in the partner's own spelling is checked and sent as it is.

Source: "Batch predictions with Anthropic Claude models"; "Batch prediction" of MaaS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.catalog.model_names import check_same_model
from airflow_provider_genai_batch.wire.keys import check_key, spell_custom_id
from airflow_provider_genai_batch.wire.partners.fields import SHOWN, SYSTEM, merged_fields, partner_fields
from airflow_provider_genai_batch.wire.partners.messages import LINES, PARTNER_MESSAGES
from airflow_provider_genai_batch.wire.partners.tool_choice import check_tool_choice
from airflow_provider_genai_batch.wire.partners.typed import own_fields, partner_message
from airflow_provider_genai_batch.wire.prompts.content import is_prompt
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of

VERSION = "vertex-2023-10-16"
MOST_TOKENS = 8192
"""``max_tokens`` of requests to Claude that set none. Claude requires it, and each of its models with batches can
return this many. Unused tokens cost nothing, and the finish reason shows if an answer is cut off there."""
URL = "/v1/chat/completions"
_INSIDE = {Family.ANTHROPIC: ("request", "params"), Family.OPENAI: ("body",)}
"""The members of a whole line that hold the request."""
_OF_THE_LINE = frozenset({"custom_id", "key", "method", "url"})
_OUTPUT = frozenset({"response", "status", "id", "error", "processed_time"})
"""Members that the service writes into a row."""
_OF_OTHERS = frozenset({*_OF_THE_LINE, "request", "params", "body", "messages", "prompt", "input", "config"})
"""Members of a line in some service's format, so unlikely to be columns of a table."""
_ALSO_COLUMNS = frozenset({"metadata", "user"})
"""Fields of a request that are also common names for users' own data."""
_NO_TOOLS = ("code_execution", "web_fetch", "mcp")
"""Prefixes of tool types that no partner's model supports on Vertex AI."""
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class PartnerRequest(NamedTuple):
    """A request without the job's defaults."""

    fields: dict[str, Any]
    """Including ``messages``."""
    key: str | None = None
    beside: dict[str, Any] | None = None
    """The other members of the line, by the user's names."""


def own_request(item: Any, family: Family, model: str) -> PartnerRequest | None:
    """Read a request in the partner's own spelling.

    Args:
        item: a body, a whole line, a list of messages, or something with one of these as ``contents``.
        family: the partner's family.
        model: the job's model.

    Returns:
        None if it is in Google's spelling, or a plain prompt.

    Raises:
        RequestError: it cannot be sent, or is neither.
    """
    if _are_messages(item):
        return PartnerRequest(_body({"messages": item}, family, model))
    fields = None if isinstance(item, (str, list, tuple)) else own_fields(item)
    if fields is None:
        return None
    name = next((one for one in _INSIDE[family] if one in fields), None)
    inside = None if name is None else own_fields(fields[name])
    for asked in (fields, inside or {}):
        if "messages" in asked and "contents" in asked:
            msg = "the request has messages and contents"
            raise RequestError(msg, "Keep one.")
    if name is not None and inside is not None and not _googles(inside):
        beside = {one: value for one, value in fields.items() if one not in (*_OF_THE_LINE, name)}
        _check_line(fields, beside, family)
        return PartnerRequest(_body(inside, family, model), _key(fields, family), beside or None)
    if "messages" in fields:
        body = {one: value for one, value in fields.items() if one not in ("custom_id", "key")}
        return PartnerRequest(_body(body, family, model), _key(fields, family))
    if _are_messages(contents := fields.get("contents")):
        rest = {one: value for one, value in fields.items() if one not in ("contents", "config", "key")}
        if rest:
            msg = f"{next(iter(rest))!r} stands beside contents"
            raise RequestError(msg, "Put it into config.")
        config = fields_of(item) or {}
        body = _body({"messages": contents}, family, model)
        return PartnerRequest({**partner_fields(config.get("config"), family), **body}, _key(fields, family))
    if not _googles(fields) and not _googles(own_fields(fields.get("request")) or {}):
        raise _neither(item, fields, family)
    return None


def finished(
    given: PartnerRequest, family: Family, model: str, defaults: dict[str, Any], checked: str
) -> dict[str, Any]:
    """Add the job's defaults to a request, and check the result.

    Args:
        given: the request.
        family: the model's family.
        model: the job's model.
        defaults: from `partner_fields`.
        checked: the schema that every answer is checked against; empty: none.

    Raises:
        RequestError: they contradict each other.
    """
    body = merged_fields(defaults, given.fields, checked=checked)
    if body.get("max_tokens", 1) < 1:
        msg = f"max_tokens is {body['max_tokens']}"
        raise RequestError(msg, "Give a number from 1 on.")
    check_tool_choice(body, family, model)
    if family is Family.OPENAI:
        if system := body.pop(SYSTEM, None):
            first = body["messages"][0].get("role")
            if first not in ("system", "developer"):
                body["messages"] = [{"role": "system", "content": system}, *body["messages"]]
        return {"model": _published(model), **body}
    if body.get("anthropic_version", VERSION) != VERSION:
        msg = f"anthropic_version is {body['anthropic_version']!r}"
        raise RequestError(msg, f"Write {VERSION}, or leave it out to have it written.")
    whole = {"anthropic_version": VERSION, "max_tokens": MOST_TOKENS, **body}
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    if budget >= whole["max_tokens"]:
        msg = f"thinking has a budget of {budget} tokens, and max_tokens is {whole['max_tokens']}"
        raise RequestError(msg, f"Set max_tokens over {budget}.")
    return whole


def custom_id(key: str, family: Family) -> str:
    """Return a key as ``custom_id`` of a partner's line.

    Raises:
        RequestError: Claude does not accept such a key.
    """
    spelled = spell_custom_id(key)
    if family is Family.ANTHROPIC and not _ID.fullmatch(spelled):
        msg = f"the key {key[:80]!r} cannot be a custom_id, which has 1 to 64 of letters, digits, - and _"
        raise RequestError(msg, "Rename it, or leave it out to have one stamped.")
    return spelled


def partner_line(
    key: str, body: dict[str, Any], beside: Mapping[str, Any] | None, family: Family
) -> dict[str, Any]:
    """Return the members of a line."""
    line = {"custom_id": custom_id(key, family), **(beside or {})}
    if family is Family.ANTHROPIC:
        return {**line, "request": body}
    return {**line, "method": "POST", "url": URL, "body": body}


def column_of(family: Family) -> str:
    """Return the name of the table column that holds the requests."""
    return "body" if family is Family.OPENAI else "request"


def check_whole(given: Mapping[str, Any], finished_body: Mapping[str, Any], family: Family) -> None:
    """Refuse a request in a table that lacks a field: nothing is added to a table.

    Args:
        given: the request in the table.
        finished_body: the same request with all required fields.
        family: the request's family.

    Raises:
        RequestError: a field is missing.
    """
    where = f"the column {column_of(family)}, which goes to the service as it is"
    if "messages" not in given:
        msg = f"there are no messages in {where}"
        raise RequestError(msg, f"A line is {LINES[family]}.")
    needed = ("anthropic_version", "max_tokens") if family is Family.ANTHROPIC else ()
    if missing := [name for name in needed if name not in given]:
        msg = f"there is no {missing[0]} in {where}"
        raise RequestError(msg, f'Write "{missing[0]}": {finished_body[missing[0]]!r}.'.replace("'", '"'))


def _body(fields: dict[str, Any], family: Family, model: str) -> dict[str, Any]:
    """Check a body in the partner's own spelling."""
    rest = {name: value for name, value in fields.items() if name not in ("model", "stream")}
    check_same_model(fields.get("model"), model)
    if fields.get("stream"):
        msg = "the request asks for a stream"
        raise RequestError(msg, "Leave stream out: a batch has none.")
    body = partner_message(rest, "Request", "", family)
    if not body.get("messages"):
        msg = "the request has no messages"
        raise RequestError(msg, f"Write {LINES[family]}.")
    for tool in body.get("tools", ()):
        if str(tool.get("type", "")).startswith(_NO_TOOLS):
            msg = f"there is a tool of the type {tool['type']!r}"
            raise RequestError(msg, f"Leave it out: {SHOWN[family]} does not have it on Vertex AI.")
    return body


def _check_line(fields: Mapping[str, Any], beside: Mapping[str, Any], family: Family) -> None:
    inside = {*PARTNER_MESSAGES[family]["Request"], "contents", "config"} - _ALSO_COLUMNS
    if strange := sorted(inside & beside.keys()):
        msg = f"{strange[0]!r} stands beside {column_of(family)}, where the model does not see it"
        raise RequestError(msg, f"Put it into {column_of(family)}.")
    if reserved := sorted(_OUTPUT & beside.keys()):
        msg = f"the field {reserved[0]!r} is one that the service writes into rows"
        raise RequestError(msg, "Rename it, or leave it out.")
    method, url = fields.get("method"), fields.get("url")
    if family is Family.OPENAI and method not in (None, "POST"):
        msg = f"method is {method!r}"
        raise RequestError(msg, "Write POST.")
    if family is Family.OPENAI and url not in (None, URL):
        msg = f"url is {url!r}, which no model in batch serves"
        raise RequestError(msg, f"Write {URL}.")


def _key(fields: Mapping[str, Any], family: Family) -> str | None:
    given = [fields[name] for name in ("custom_id", "key") if fields.get(name) is not None]
    if not given:
        return None
    if len({str(one) for one in given}) > 1:
        msg = f"custom_id is {given[0]!r} but key says {given[1]!r}"
        raise RequestError(msg, "Keep one.")
    check_key(given[0])
    custom_id(given[0], family)
    return str(given[0])


def _googles(fields: Mapping[str, Any]) -> bool:
    """Whether a request is in Google's spelling: it has contents, or is a prompt itself."""
    return "contents" in fields or ("content" not in fields and is_prompt(fields))


def _are_messages(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(one, Mapping) and "role" in one and "parts" not in one for one in value)
    )


def _neither(item: Any, fields: Mapping[str, Any], family: Family) -> RequestError:
    shown = ", ".join(sorted(as_written(item, name) for name in fields)[:5]) or "nothing"
    remedy = f"Write {LINES[family]}."
    if fields and isinstance(item, Mapping) and fields.keys().isdisjoint(_OF_OTHERS):
        column = next(iter(fields))
        remedy += f' For rows of a table give prompt to the operator, such as prompt="… {{{column}}} …".'
    return RequestError(f"there are no messages: there is {shown}", remedy)


def _published(model: str) -> str:
    return model[model.index("publishers/") :] if "publishers/" in model else model
