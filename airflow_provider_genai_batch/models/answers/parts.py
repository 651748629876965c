"""Parts of an answer other than its text, media among them.

Source: google-genai's ``types`` and the REST references of both services, 2026.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.models.answers.sparse import Sparse


class PartialArg(Sparse):
    """A piece of a streamed argument."""

    json_path: str | None = None
    string_value: str | None = None
    number_value: float | None = None
    bool_value: bool | None = None
    null_value: str | None = None
    will_continue: bool | None = None


class FunctionCall(Sparse):
    """A function that the model asks the caller to call."""

    id: str | None = None
    name: str | None = None
    args: dict[str, Any] | None = None
    partial_args: tuple[PartialArg, ...] | None = None
    will_continue: bool | None = None


class FunctionResponse(Sparse):
    """The result of a function."""

    id: str | None = None
    name: str | None = None
    response: dict[str, Any] | None = None
    will_continue: bool | None = None
    scheduling: str | None = None


class ExecutableCode(Sparse):
    """Code that the model wrote and the service runs."""

    id: str | None = None
    language: str | None = None
    code: str | None = None


class CodeExecutionResult(Sparse):
    """The output of that code."""

    id: str | None = None
    outcome: str | None = None
    output: str | None = None


class ToolCall(Sparse):
    """A call of one of the service's own tools."""

    id: str | None = None
    tool_type: str | None = None
    args: dict[str, Any] | None = None


class ToolResponse(Sparse):
    """The result of such a tool."""

    id: str | None = None
    tool_type: str | None = None
    response: dict[str, Any] | None = None


class FileData(Sparse):
    """A file that the answer points to."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class Word(Sparse):
    """A word of a transcription."""

    word: str | None = None
    start_offset: str | None = None
    end_offset: str | None = None


class Transcription(Sparse):
    """The words spoken in a recording."""

    text: str | None = None
    finished: bool | None = None
    language_code: str | None = None
    speaker_label: str | None = None
    words: tuple[Word, ...] | None = None
    start_offset: str | None = None
    end_offset: str | None = None


class SpeechMetadata(Sparse):
    """Who speaks, and how."""

    speaker: str | None = None
    style: str | None = None


class VideoMetadata(Sparse):
    """Which part of a video."""

    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class MediaResolution(Sparse):
    """How finely a medium was read."""

    level: str | None = None
    num_tokens: int | None = None


class Part(Sparse):
    """A part of an answer that is not plain text. Pictures and sound are `Media`."""

    candidate: int = 0
    """Index of the candidate."""
    part: int = 0
    """Index among the candidate's parts, from 0."""
    text: str | None = None
    """The text of a thought, or of a part of the answer if its text has several parts."""
    thought: bool | None = None
    thought_signature: str | None = None
    """Base64. Send it back with the part when you continue the conversation."""
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: ToolCall | None = None
    tool_response: ToolResponse | None = None
    file_data: FileData | None = None
    audio_transcription: Transcription | None = None
    speech_metadata: SpeechMetadata | None = None
    video_metadata: VideoMetadata | None = None
    media_resolution: MediaResolution | None = None
    media_processing: str | None = None
    part_metadata: dict[str, Any] | None = None


class Media(Sparse):
    """A picture or sound of an answer, in a file of its own."""

    candidate: int = 0
    part: int = 0
    mime_type: str | None = None
    bytes: int | None = None
    """Length of the file."""
    sha256: str | None = None
    """SHA-256 of the file, in hexadecimal digits."""
    uri: str | None = None
