"""Tables of every message in a request to a partner's model: its fields, and the kind of each value.

The kinds are those of `wire.prompts.messages`; ``A|B`` means either. ``Message.word`` is the message with
``"type": "word"``.

Source: the types of Anthropic's package for Python, 0.125.0 (Messages API), without what Vertex AI does not have
("Claude on Vertex AI": addresses as sources, files, code execution, web fetch, MCP) and what no batch has (streams);
"Call MaaS APIs for open models" for chat completions, with the types of OpenAI's package for Python. By "Batch
prediction" of MaaS, prompts in batches of open models are text alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from airflow_provider_genai_batch.models.family import Family

Table: TypeAlias = Mapping[str, Mapping[str, str]]

_ANTHROPIC = {
    "Request": (
        "anthropic_beta:[string] anthropic_version:string cache_control:any max_tokens:int messages:[Turn] "
        "metadata:Metadata output_config:OutputConfig stop_sequences:[string] system:string|[Block] "
        "temperature:float thinking:Thinking tool_choice:ToolChoice tools:[Tool] top_k:int top_p:float"
    ),
    "Turn": "content:string|[Block] role:string",
    "Block.text": "cache_control:any citations:any text:string type:string",
    "Block.image": "cache_control:any source:Source type:string",
    "Block.document": "cache_control:any citations:any context:string source:Source title:string type:string",
    "Block.tool_use": "cache_control:any caller:any id:string input:any name:string type:string",
    "Block.tool_result": "cache_control:any content:string|[Block] is_error:bool tool_use_id:string type:string",
    "Block.thinking": "signature:string thinking:string type:string",
    "Block.redacted_thinking": "data:string type:string",
    "Block.search_result": "cache_control:any citations:any content:any source:string title:string type:string",
    "Block.server_tool_use": "cache_control:any caller:any id:string input:any name:string type:string",
    "Block.web_search_tool_result": "cache_control:any caller:any content:any tool_use_id:string type:string",
    "Source.base64": "data:bytes media_type:string type:string",
    "Source.text": "data:string media_type:string type:string",
    "Source.content": "content:any type:string",
    "Metadata": "user_id:string",
    "OutputConfig": "effort:string format:any task_budget:any",
    "Thinking": "budget_tokens:int display:string type:string",
    "Tool": (
        "allowed_callers:any allowed_domains:[string] blocked_domains:[string] cache_control:any defer_loading:bool "
        "description:string eager_input_streaming:bool input_examples:any input_schema:any max_uses:int name:string "
        "strict:bool type:string user_location:any"
    ),
    "ToolChoice": "disable_parallel_tool_use:bool name:string type:string",
}
_OPENAI = {
    "Request": (
        "frequency_penalty:float logit_bias:any logprobs:bool max_completion_tokens:int max_tokens:int "
        "messages:[Turn] model:string n:int parallel_tool_calls:bool presence_penalty:float "
        "reasoning_effort:string response_format:ResponseFormat seed:int stop:string|[string] temperature:float "
        "tool_choice:any tools:[Tool] top_logprobs:int top_p:float user:string"
    ),
    "Turn": (
        "content:string|[Block] name:string reasoning_content:string refusal:string role:string "
        "tool_call_id:string tool_calls:[ToolCall]"
    ),
    "Block.text": "text:string type:string",
    "ResponseFormat": "json_schema:JsonSchema type:string",
    "JsonSchema": "description:string name:string schema:any strict:bool",
    "Tool": "function:Function type:string",
    "Function": "description:string name:string parameters:any strict:bool",
    "ToolCall": "function:Called id:string type:string",
    "Called": "arguments:string name:string",
}
PARTNER_MESSAGES: dict[Family, dict[str, dict[str, str]]] = {
    family: {message: dict(field.split(":") for field in fields.split()) for message, fields in table.items()}
    for family, table in ((Family.ANTHROPIC, _ANTHROPIC), (Family.OPENAI, _OPENAI))
}
"""Maps a family to its messages, a message's name to its fields, and a field's name to its kind."""
ROLES = {
    Family.ANTHROPIC: {
        "user": "",
        "assistant": "",
        "model": "Write assistant.",
        "system": "Give it as system.",
    },
    Family.OPENAI: {
        **dict.fromkeys(("system", "developer", "user", "assistant", "tool"), ""),
        "model": "Write assistant.",
        "function": "Write tool.",
    },
}
"""Roles, and what to write instead of another service's role; empty: the role is right."""
LINES = {
    Family.ANTHROPIC: '{"custom_id": …, "request": {"messages": [{"role": "user", "content": …}], "max_tokens": …}}',
    Family.OPENAI: (
        '{"custom_id": …, "method": "POST", "url": "/v1/chat/completions", '
        '"body": {"messages": [{"role": "user", "content": …}]}}'
    ),
}
"""A whole line, as error messages show it."""
WORDS = {
    Family.ANTHROPIC: {
        "max_completion_tokens": "max_tokens",
        "max_output_tokens": "max_tokens",
        "max_tokens_to_sample": "max_tokens",
        "prompt": "messages",
        "stop": "stop_sequences",
        "system_instruction": "system",
        "parts": "content",
        "mime_type": "media_type",
        "parameters": "input_schema",
    },
    Family.OPENAI: {
        "max_output_tokens": "max_tokens",
        "prompt": "messages",
        "stop_sequences": "stop",
        "parts": "content",
        "input_schema": "parameters",
    },
}
"""Other services' names for the same field."""
REFUSED = {
    Family.ANTHROPIC: {
        ("Request", "stream"): "Leave it out: a batch has no streams.",
        ("Request", "container"): "Leave it out: Claude on Vertex AI runs no code.",
        ("Request", "mcp_servers"): "Leave it out: Claude on Vertex AI has no MCP.",
        ("Request", "service_tier"): "Leave it out: a batch is a tier of its own.",
        ("Source", "url"): "Give the bytes as base64: Claude on Vertex AI reads no addresses.",
        ("Source", "file"): "Give the bytes as base64: Claude on Vertex AI has no files.",
    },
    Family.OPENAI: {
        ("Request", "stream"): "Leave it out: a batch has no streams.",
        ("Request", "functions"): "Write tools.",
        ("Request", "function_call"): "Write tool_choice.",
        (
            "Block",
            "image_url",
        ): "Give text: batches of open models read nothing else. Or take a Gemini model.",
    },
}
"""Remedies for fields that the partner accepts elsewhere, but not in a batch on Vertex AI."""
