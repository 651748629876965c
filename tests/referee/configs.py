"""Configs that both services take, each with a plain prompt; like `cases`, free of this package."""

from __future__ import annotations

import enum
from typing import Literal

from pydantic import BaseModel

try:
    from cases import config
except ImportError:  # inside the test process this is a package
    from tests.referee.cases import config


class Author(BaseModel):
    """A model inside another one."""

    name: str
    born: int | None = None


class Book(BaseModel):
    """What an answer may be asked to look like."""

    title: str
    genre: Literal["novel", "poetry"]
    kind: Literal["book"]
    authors: list[Author]
    first_print_year: int | None = None
    price: float | str


class Mood(enum.Enum):
    """An answer that is one of a few words."""

    GOOD = "good"
    BAD = "bad"


_WEATHER = {
    "name": "get_weather",
    "description": "Says what the weather is",
    "parameters": {
        "type": "OBJECT",
        "properties": {"place_name": {"type": "STRING"}, "unit": {"type": "STRING", "enum": ["C", "F"]}},
        "required": ["place_name"],
    },
}
_TIME = {
    "name": "get_time",
    "parameters_json_schema": {"type": "object", "properties": {"time_zone": {"type": "string"}}},
}


CONFIGS = [
    config("an empty config", lambda _: {}),
    config(
        "every sampling parameter",
        lambda _: {
            "temperature": 0.25,
            "top_p": 0.5,
            "top_k": 40,
            "candidate_count": 2,
            "max_output_tokens": 128,
            "stop_sequences": ["a", "b"],
            "presence_penalty": 0.125,
            "frequency_penalty": -0.5,
            "seed": 7,
            "response_logprobs": True,
            "logprobs": 3,
        },
    ),
    config("zeros are sent", lambda _: {"temperature": 0, "top_k": 0, "seed": 0, "response_logprobs": False}),
    config(
        "lowerCamel config", lambda _: {"topP": 0.5, "maxOutputTokens": 5, "systemInstruction": "be short"}
    ),
    config("a config object", lambda t: t.GenerateContentConfig(temperature=1.5, max_output_tokens=3)),
    config("a system instruction", lambda _: {"system_instruction": "be short"}),
    config("a system instruction of parts", lambda _: {"system_instruction": ["be short", "be kind"]}),
    config(
        "a system instruction as Content",
        lambda t: {"system_instruction": t.Content(parts=[t.Part(text="be short")])},
    ),
    config(
        "a system instruction as dict", lambda _: {"system_instruction": {"parts": [{"text": "be short"}]}}
    ),
    config("a system instruction as Part", lambda t: {"system_instruction": t.Part(text="be short")}),
    config(
        "safety settings",
        lambda _: {
            "safety_settings": [
                {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"},
                {"category": "harm_category_harassment", "threshold": "off"},
            ]
        },
    ),
    config(
        "safety settings as objects",
        lambda t: {
            "safety_settings": [
                t.SafetySetting(
                    category=t.HarmCategory.HARM_CATEGORY_HARASSMENT,
                    threshold=t.HarmBlockThreshold.BLOCK_ONLY_HIGH,
                )
            ]
        },
    ),
    config("a declared function", lambda _: {"tools": [{"function_declarations": [_WEATHER]}]}),
    config(
        "declared functions in two tools",
        lambda _: {
            "tools": [
                {"function_declarations": [_WEATHER]},
                {"google_search": {}},
                {"function_declarations": [_TIME]},
            ]
        },
    ),
    config(
        "a tool with functions and more",
        lambda t: {
            "tools": [
                t.Tool(
                    function_declarations=[t.FunctionDeclaration(**_TIME)],
                    code_execution=t.ToolCodeExecution(),
                ),
                t.Tool(url_context=t.UrlContext()),
            ]
        },
    ),
    config("Google Search", lambda t: {"tools": [t.Tool(google_search=t.GoogleSearch())]}),
    config("code execution", lambda _: {"tools": [{"code_execution": {}}]}),
    config("code execution in lowerCamel", lambda _: {"tools": [{"codeExecution": {}}]}),
    config("URL context", lambda _: {"tools": [{"url_context": {}}]}),
    config("Google Maps", lambda _: {"tools": [{"google_maps": {"enable_widget": True}}]}),
    config(
        "search of the old kind",
        lambda _: {
            "tools": [
                {
                    "google_search_retrieval": {
                        "dynamic_retrieval_config": {"mode": "MODE_DYNAMIC", "dynamic_threshold": 0.5}
                    }
                }
            ]
        },
    ),
    config(
        "tool config",
        lambda _: {
            "tools": [{"function_declarations": [_WEATHER]}],
            "tool_config": {
                "function_calling_config": {"mode": "any", "allowed_function_names": ["get_weather"]},
                "retrieval_config": {"lat_lng": {"latitude": 1.5, "longitude": -2}, "language_code": "de"},
            },
        },
    ),
    config(
        "tool config object",
        lambda t: {
            "tool_config": t.ToolConfig(
                function_calling_config=t.FunctionCallingConfig(mode=t.FunctionCallingConfigMode.NONE)
            )
        },
    ),
    config("a MIME type", lambda _: {"response_mime_type": "application/json"}),
    config(
        "a schema as dict",
        lambda _: {
            "response_mime_type": "application/json",
            "response_schema": {
                "type": "object",
                "properties": {"some_name": {"type": "string"}, "count": {"type": "integer", "minimum": 0}},
                "required": ["some_name"],
            },
        },
    ),
    config(
        "a schema in upper case with order",
        lambda _: {
            "response_schema": {
                "type": "OBJECT",
                "properties": {"b": {"type": "STRING"}, "a": {"type": "ARRAY", "items": {"type": "NUMBER"}}},
                "propertyOrdering": ["b", "a"],
            }
        },
    ),
    config(
        "a schema with choices and null",
        lambda _: {
            "response_schema": {
                "type": "object",
                "properties": {
                    "x": {"any_of": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                    "y": {"anyOf": [{"type": "string", "max_length": 5}, {"type": "null"}]},
                },
            }
        },
    ),
    config(
        "a schema object",
        lambda t: {
            "response_schema": t.Schema(
                type=t.Type.OBJECT,
                properties={
                    "a_b": t.Schema(type=t.Type.STRING, enum=["x", "y"]),
                    "c": t.Schema(type="BOOLEAN"),
                },
            )
        },
    ),
    config("a schema as model", lambda _: {"response_schema": Book}),
    config("a schema as list of models", lambda _: {"response_schema": list[Author]}),
    config("a schema as type", lambda _: {"response_schema": int}),
    config("a schema as list type", lambda _: {"response_schema": list[str]}),
    config("a schema as union", lambda _: {"response_schema": int | str}),
    config("a schema as Enum", lambda _: {"response_mime_type": "text/x.enum", "response_schema": Mood}),
    config("JSON Schema", lambda _: {"response_json_schema": Book.model_json_schema()}),
    config("modalities", lambda _: {"response_modalities": ["TEXT", "IMAGE"]}),
    config("media resolution", lambda _: {"media_resolution": "MEDIA_RESOLUTION_LOW"}),
    config(
        "media resolution as enum", lambda t: {"media_resolution": t.MediaResolution.MEDIA_RESOLUTION_HIGH}
    ),
    config("a voice by name", lambda _: {"response_modalities": ["AUDIO"], "speech_config": "Kore"}),
    config(
        "speech config",
        lambda _: {
            "speech_config": {
                "language_code": "en-US",
                "voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}},
            }
        },
    ),
    config(
        "two voices",
        lambda t: {
            "speech_config": t.SpeechConfig(
                multi_speaker_voice_config=t.MultiSpeakerVoiceConfig(
                    speaker_voice_configs=[
                        t.SpeakerVoiceConfig(
                            speaker=name,
                            voice_config=t.VoiceConfig(
                                prebuilt_voice_config=t.PrebuiltVoiceConfig(voice_name=voice)
                            ),
                        )
                        for name, voice in (("A", "Kore"), ("B", "Puck"))
                    ]
                )
            )
        },
    ),
    config("thinking budget", lambda _: {"thinking_config": {"thinking_budget": 0}}),
    config(
        "thinking level",
        lambda t: {"thinking_config": t.ThinkingConfig(thinking_level="LOW", include_thoughts=True)},
    ),
    config("image config", lambda _: {"image_config": {"aspect_ratio": "16:9", "image_size": "1K"}}),
    config("labels", lambda _: {"labels": {"team_name": "a_b"}}),
    config("service tier", lambda _: {"service_tier": "flex"}),
    config("what is the SDK's own", lambda _: {"automatic_function_calling": {"disable": True}, "seed": 1}),
]
