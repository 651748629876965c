"""The blocks of a Claude body: the types of Anthropic's client, as far as Vertex AI supports them."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.model.partners.shapes import (
    anything,
    either,
    flag,
    free,
    items,
    members,
    null,
    refused,
    tagged,
    text,
    words,
)

NAME = r"[a-zA-Z0-9_-]{1,128}"
NOT_HERE = "not supported on Vertex AI"
KIND = anything
"""The check of the member that `tagged` has already read."""

CACHE = either(null, members({"type": words("ephemeral")}, {"ttl": words("5m", "1h")}))
TEXT = members({"type": KIND, "text": text(least=1)}, {"cache_control": CACHE, "citations": anything})
_PICTURES = words("image/jpeg", "image/png", "image/gif", "image/webp")
_NO_ADDRESS = refused(f"URL and file sources are {NOT_HERE}")
_IMAGE = members(
    {
        "type": KIND,
        "source": tagged(
            {
                "base64": members({"type": KIND, "media_type": _PICTURES, "data": text(least=1)}),
                "url": _NO_ADDRESS,
                "file": _NO_ADDRESS,
            }
        ),
    },
    {"cache_control": CACHE},
)
_DOCUMENT = members(
    {
        "type": KIND,
        "source": tagged(
            {
                "base64": members(
                    {"type": KIND, "media_type": words("application/pdf"), "data": text(least=1)}
                ),
                "text": members({"type": KIND, "media_type": words("text/plain"), "data": text()}),
                "content": members({"type": KIND, "content": either(text(), items(tagged({"text": TEXT})))}),
                "url": _NO_ADDRESS,
                "file": _NO_ADDRESS,
            }
        ),
    },
    {
        "cache_control": CACHE,
        "citations": anything,
        "title": either(null, text()),
        "context": either(null, text()),
    },
)
_SEARCH_RESULT = members(
    {"type": KIND, "source": text(), "title": text(), "content": items(tagged({"text": TEXT}))},
    {"cache_control": CACHE, "citations": anything},
)
_RESULT = members(
    {"type": KIND, "tool_use_id": text(NAME)},
    {
        "content": either(
            text(),
            items(
                tagged(
                    {"text": TEXT, "image": _IMAGE, "document": _DOCUMENT, "search_result": _SEARCH_RESULT}
                )
            ),
        ),
        "is_error": flag,
        "cache_control": CACHE,
    },
)
BLOCK = tagged(
    {
        "text": TEXT,
        "image": _IMAGE,
        "document": _DOCUMENT,
        "search_result": _SEARCH_RESULT,
        "thinking": members({"type": KIND, "thinking": text(), "signature": text(least=1)}),
        "redacted_thinking": members({"type": KIND, "data": text(least=1)}),
        "tool_use": members(
            {"type": KIND, "id": text(NAME), "name": text(NAME), "input": free}, {"cache_control": CACHE}
        ),
        "tool_result": _RESULT,
        "server_tool_use": free,
        "web_search_tool_result": free,
    }
)
