"""Calls that Google's SDK refuses before it sends anything, so this package must refuse them too."""

from __future__ import annotations

from typing import Any

try:
    from cases import Case
except ImportError:  # inside the test process this is a package
    from tests.referee.cases import Case

_FLASH = "gemini-2.5-flash"


def _config(name: str, **config: Any) -> Case:
    return Case(name, lambda _: {"contents": "hi", "config": config})


def _job(name: str, src: Any, **config: Any) -> Case:
    return Case(name, lambda _: {"model": _FLASH, "src": src, **({"config": config} if config else {})})


GEMINI_REQUESTS = [
    _config("refused: routing", routing_config={"auto_mode": {"model_routing_preference": "BALANCED"}}),
    _config("refused: model selection", model_selection_config={"feature_selection_preference": "BALANCED"}),
    _config("refused: audio timestamps", audio_timestamp=True),
    _config("refused: model armor", model_armor_config={"prompt_template_name": "x"}),
    _config(
        "refused: safety method",
        safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "method": "SEVERITY"}],
    ),
    _config("refused: retrieval", tools=[{"retrieval": {"disable_attribution": True}}]),
    _config("refused: enterprise search", tools=[{"enterprise_web_search": {}}]),
    _config("refused: excluded domains", tools=[{"google_search": {"exclude_domains": ["a.example"]}}]),
    _config("refused: maps by OAuth", tools=[{"google_maps": {"auth_config": {"auth_type": "OAUTH"}}}]),
    _config("refused: people in pictures", image_config={"person_generation": "ALLOW_ALL"}),
    _config(
        "refused: streamed arguments",
        tool_config={"function_calling_config": {"stream_function_call_arguments": True}},
    ),
    _config(
        "refused: free names", response_schema={"type": "object", "additional_properties": {"type": "string"}}
    ),
    _config("refused: unknown field", temprature=1),
    _config("refused: unknown tool", tools=[{"search_engine": {}}]),
    _config("refused: a schema that is none", response_schema={"type": "string", "oneOf": []}),
    Case("refused: no contents", lambda _: {"contents": []}),
    Case("refused: unknown part", lambda _: {"contents": {"parts": [{"txt": "hi"}]}}),
]
VERTEX_REQUESTS = [
    _config("refused: store", store=True),
    _config("refused: civic answers", enable_enhanced_civic_answers=True),
    _config("refused: file search", tools=[{"file_search": {"file_search_store_names": ["a"]}}]),
    _config("refused: server side tools", tool_config={"include_server_side_tool_invocations": True}),
    _config("refused: unknown field", temprature=1),
    Case("refused: a tool's call", lambda _: {"contents": [{"tool_call": {"id": "1"}}]}),
    Case("refused: no contents", lambda _: {"contents": []}),
]
GEMINI_JOBS = [
    _job("refused: an object", "gs://b/in.jsonl"),
    _job("refused: a table", "bq://p.d.t"),
    _job("refused: a destination", "files/in1", dest="gs://b/out"),
    _job("refused: two places", {"file_name": "files/a", "gcs_uri": ["gs://b/in.jsonl"]}),
    _job("refused: no place", {}),
    _job("refused: another scheme", "http://h.example/in"),
    _job("refused: unknown config", "files/in1", displayNam="x"),
]
GEMINI_EMBEDDINGS = [
    Case(
        "refused: truncation",
        lambda _: {
            "model": "gemini-embedding-001",
            "src": {"inlined_requests": {"contents": ["a"], "config": {"auto_truncate": True}}},
        },
    ),
]
VERTEX_JOBS = [
    _job("refused: a file", "files/in1"),
    _job("refused: a webhook", "gs://b/in.jsonl", webhook_config={"uris": ["https://h.example"]}),
    _job("refused: two places", {"bigquery_uri": "bq://p.d.t", "gcs_uri": ["gs://b/in.jsonl"]}),
    _job("refused: a destination of another kind", "gs://b/in.jsonl", dest="s3://b/out"),
]
