"""Partners' messages beside the types of the partners' own packages, as recorded, and as installed where they are."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_genai_batch.emulator.model.partners import chat, claude
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.partners.messages import PARTNER_MESSAGES, REFUSED
from tests.referee.dump_partner_types import dump

RECORDED = [
    json.loads(path.read_text()) for path in sorted(Path(__file__).with_name("partner_types").iterdir())
]
"""See `dump_partner_types`, which says how each is made."""
FAMILIES = {"anthropic": Family.ANTHROPIC, "openai": Family.OPENAI}
GOOGLES = {
    Family.ANTHROPIC: {"Request": {"anthropic_version", "anthropic_beta"}},
    Family.OPENAI: {"Turn": {"reasoning_content"}},
}
"""Fields that the services of Vertex AI have beside the partners' own."""
SAMPLING = {"temperature", "top_k", "top_p"}
"""Anthropic's package has none of them any more since 2.0, of which Google's pages say nothing."""
LEFT_OUT = {
    Family.ANTHROPIC: {
        "Request": {"diagnostics", "inference_geo", "model", "speed", "user_profile_id", "workspace_id"},
        "Block.image": {"transformations"},
        "Block.tool_use": {"toolset_name"},
        "Block.tool_result": {"toolset_name"},
    },
    Family.OPENAI: {
        "Request": {
            "audio",
            "metadata",
            "modalities",
            "moderation",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
            "stream_options",
            "verbosity",
            "web_search_options",
        },
        "Turn": {"audio", "function_call"},
        "Block.text": {"prompt_cache_breakpoint"},
    },
}
"""What the partners' own services take and no page of Vertex AI speaks of; a request that has it is refused."""
OF_MAAS = {"extra_properties", "matched_stop", "metadata", "reasoning_content", "reasoning_tokens"}
"""Members of ChatCompletions that a client read from live rows, and that OpenAI's types do not have."""
CLAUDE = "publishers/anthropic/models/claude-sonnet-4-6"
LLAMA = "publishers/meta/models/llama-4-maverick-17b-128e-instruct-maas"
OSS = "publishers/openai/models/gpt-oss-120b-maas"
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(
    params=[*RECORDED, *FAMILIES],
    ids=lambda one: one if isinstance(one, str) else one["package"].replace(" ", "-"),
)
def types(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Give what each package says that was recorded, and each that is installed."""
    if isinstance(request.param, dict):
        return request.param
    pytest.importorskip(request.param)
    return dump(request.param)


def family_of(types: dict[str, Any]) -> Family:
    return FAMILIES[types["package"].partition(" ")[0]]


def test_each_partner_has_a_record() -> None:
    assert {family_of(types) for types in RECORDED} == {*PARTNER_MESSAGES}


def test_every_message_of_a_request_has_the_partners_fields_and_no_others(types: dict[str, Any]) -> None:
    family = family_of(types)
    table = PARTNER_MESSAGES[family]
    assert table.keys() == types["requests"].keys()
    for message, fields in types["requests"].items():
        theirs, ours = {*fields}, {*table[message]}
        gone = SAMPLING - theirs if family is Family.ANTHROPIC and message == "Request" else set()
        refused = {name for within, name in REFUSED[family] if within == message}
        assert ours - theirs == GOOGLES[family].get(message, set()) | gone, message
        assert theirs - ours <= LEFT_OUT[family].get(message, set()) | refused, message


@pytest.mark.parametrize("family", PARTNER_MESSAGES)
def test_what_is_left_out_is_a_field_of_the_partner(family: Family) -> None:
    kept = [types["requests"] for types in RECORDED if family_of(types) is family]
    for message, left in LEFT_OUT[family].items():
        assert left <= {field for one in kept for field in one[message]}, message


# ------------------------------------------------------------ answers of the emulator


def asked(prompt: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}]
    return {"anthropic_version": "vertex-2023-10-16", "max_tokens": 400, "messages": turns, **more}


def messages(reasons: list[str]) -> dict[str, Any]:
    """Return Messages of every kind."""
    tool = {"name": "look", "input_schema": TOOL}
    schema = {"format": {"type": "json_schema", "schema": TOOL}}
    system = [
        {"type": "text", "text": "Be brief. " * 50, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    bodies = {
        "plain": asked("Hi."),
        "a tool": asked("Hi.", tools=[tool], tool_choice={"type": "tool", "name": "look"}),
        "JSON": asked("Hi.", output_config=schema),
        "thoughts": asked("Hi.", thinking={"type": "enabled", "budget_tokens": 100}),
        "stopped": asked("one two", stop_sequences=["two"]),
        "cut off": asked("word " * 50, max_tokens=3),
        "cached": asked("Hi.", system=system),
    }
    found = {name: claude.message(body, CLAUDE) for name, body in bodies.items()}
    plain = found["plain"]
    ended = {f"ended: {one}": claude.finished(plain, one, None) for one in reasons}
    return {**found, **ended, "empty": claude.emptied(plain), "refused": claude.refusal(CLAUDE)}


def completions(reasons: list[str]) -> dict[str, Any]:
    """Return ChatCompletions of every kind."""
    function = {"type": "function", "function": {"name": "look", "parameters": TOOL}}
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": TOOL}}
    bodies = {
        "plain": (LLAMA, asked("Hi.")),
        "reasons": (OSS, asked("Hi.")),
        "a tool": (LLAMA, asked("Use look.", tools=[function])),
        "JSON": (LLAMA, asked("Hi.", response_format=schema)),
        "stopped": (LLAMA, asked("one two", stop="two")),
        "cut off": (LLAMA, asked("word " * 50, max_tokens=3)),
        "several": (LLAMA, asked("Hi.", n=3, logprobs=True)),
        "cached": (LLAMA, asked("word " * 200)),
    }
    found = {name: chat.completion(body, model, 1_790_000_000) for name, (model, body) in bodies.items()}
    plain = found["plain"]
    ended = {f"ended: {one}": chat.finished(plain, one, None) for one in reasons}
    return {**found, **ended, "empty": chat.emptied(plain), "blocked": chat.filtered(LLAMA, 1_790_000_000)}


def test_every_answer_of_the_emulator_is_one_of_the_partners(types: dict[str, Any]) -> None:
    schema = closed(types["answer"])
    claudes = family_of(types) is Family.ANTHROPIC
    where = schema if claudes else schema["$defs"]["Choice"]
    reasons = sorted(words(where["properties"]["stop_reason" if claudes else "finish_reason"]))
    assert len(reasons) >= 5
    answers = messages(reasons) if claudes else completions(reasons)
    validator = Draft202012Validator(schema)
    for name, answer in answers.items():
        wrong = [error.message for error in validator.iter_errors(without(answer, OF_MAAS))]
        assert not wrong, name


def test_an_answer_with_a_member_that_a_partner_has_not_is_seen(types: dict[str, Any]) -> None:
    claudes = family_of(types) is Family.ANTHROPIC
    answer = (messages if claudes else completions)([])["plain"]
    validator = Draft202012Validator(closed(types["answer"]))
    assert validator.is_valid(without(answer, OF_MAAS))
    assert not validator.is_valid({**answer, "made_up": 1})
    assert not validator.is_valid({**answer, "usage": {}})


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no members but those that it names: clients take any."""
    if isinstance(schema, dict):
        changed = {name: closed(one) for name, one in schema.items()}
        if changed.get("additionalProperties") is True and "properties" in changed:
            changed["additionalProperties"] = False
        return changed
    return [closed(one) for one in schema] if isinstance(schema, list) else copy.copy(schema)


def words(schema: Any) -> set[str]:
    """Return the values that a schema names."""
    if not isinstance(schema, dict):
        return set()
    found = {one for part in schema.get("anyOf", []) for one in words(part)}
    return found | {*schema.get("enum", [])} | {one for one in [schema.get("const")] if one}


def without(value: Any, names: set[str]) -> Any:
    """Return a value without some members, wherever they stand."""
    if isinstance(value, dict):
        return {name: without(one, names) for name, one in value.items() if name not in names}
    return [without(one, names) for one in value] if isinstance(value, list) else value
