"""Requests that only one of the services takes; like `cases`, free of this package."""

from __future__ import annotations

try:
    from cases import Case, config, one
except ImportError:  # inside the test process this is a package
    from tests.referee.cases import Case, config, one


GEMINI_ONLY = [
    config("a cached prompt", lambda _: {"cached_content": "cachedContents/abc"}),
    config("a cached prompt by its id", lambda _: {"cached_content": "abc"}),
    config("store", lambda _: {"store": False}),
    config("civic answers", lambda _: {"enable_enhanced_civic_answers": True}),
    config(
        "file search",
        lambda _: {"tools": [{"file_search": {"file_search_store_names": ["fileSearchStores/a"]}}]},
    ),
    config("server side tools", lambda _: {"tool_config": {"include_server_side_tool_invocations": True}}),
    Case(
        "a file of the Files API",
        lambda t: one(
            [
                t.Part.from_uri(
                    file_uri="https://generativelanguage.googleapis.com/v1beta/files/a",
                    mime_type="text/plain",
                )
            ]
        ),
    ),
    Case(
        "an uploaded File",
        lambda t: one(
            [
                "read this",
                t.File(name="files/a", uri="https://h.example/v1beta/files/a", mime_type="text/plain"),
            ]
        ),
    ),
    Case("metadata", lambda _: one("hi", metadata={"key": "row-1", "some_tag": "x"})),
    Case("metadata and config", lambda _: one("hi", {"seed": 1}, metadata={"key": "row-1"})),
    Case(
        "an InlinedRequest",
        lambda t: t.InlinedRequest(
            contents="hi", metadata={"key": "r"}, config=t.GenerateContentConfig(seed=2)
        ),
    ),
]

VERTEX_ONLY = [
    config("audio timestamps", lambda _: {"audio_timestamp": True}),
    config("routing", lambda _: {"routing_config": {"manual_mode": {"model_name": "gemini-2.5-flash"}}}),
    config(
        "model selection", lambda _: {"model_selection_config": {"feature_selection_preference": "BALANCED"}}
    ),
    config("model armor", lambda _: {"model_armor_config": {"prompt_template_name": "projects/p/x"}}),
    config(
        "safety method",
        lambda _: {
            "safety_settings": [
                {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE", "method": "SEVERITY"}
            ]
        },
    ),
    config(
        "search with exclusions", lambda _: {"tools": [{"google_search": {"exclude_domains": ["a.example"]}}]}
    ),
    config("enterprise search", lambda _: {"tools": [{"enterprise_web_search": {}}]}),
    config(
        "Vertex AI Search",
        lambda _: {
            "tools": [{"retrieval": {"vertex_ai_search": {"datastore": "projects/p/d", "max_results": 3}}}]
        },
    ),
    config("people in pictures", lambda _: {"image_config": {"person_generation": "ALLOW_ADULT"}}),
    config(
        "a schema with free names",
        lambda _: {"response_schema": {"type": "object", "additional_properties": {"type": "string"}}},
    ),
    Case(
        "a file in Cloud Storage",
        lambda t: one([t.Part.from_uri(file_uri="gs://b/a.pdf", mime_type="application/pdf"), "sum up"]),
    ),
]

VERTEX_EMBEDDINGS = [
    Case("a text to embed", lambda _: one("a")),
    Case("a Content to embed", lambda t: one(t.Content(parts=[t.Part(text="a")]))),
    Case(
        "a text to embed with every option",
        lambda _: one(
            "a",
            {
                "task_type": "RETRIEVAL_DOCUMENT",
                "title": "T",
                "output_dimensionality": 64,
                "auto_truncate": True,
            },
        ),
    ),
    Case("options as object", lambda t: one(["a"], t.EmbedContentConfig(output_dimensionality=3))),
]
