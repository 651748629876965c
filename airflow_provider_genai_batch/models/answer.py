"""Parts of an answer other than its text, with the fields that rows keep of them.

Members are Google's own, in snake_case; other families' answers are read into the same. These models are the one home
of their names and types: answers are read by them (`wire.answers.members`), and columns of Parquet are made of them.

Source: google-genai's ``types`` and the REST references of both services, 2026.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from airflow_provider_genai_batch.models.base import Noun


class Sparse(Noun):
    """A value that is written without its empty fields."""

    _always: ClassVar[frozenset[str]] = frozenset()
    """Names of fields that are always written."""

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value is not None or name in self._always}


# ------------------------------------------------------------ parts


class PartialArg(Sparse):
    """A piece of a streamed argument."""

    json_path: str | None = None
    string_value: str | None = None
    number_value: float | None = None
    bool_value: bool | None = None
    null_value: str | None = None
    will_continue: bool | None = None


class FunctionCall(Sparse):
    """A function that the model wants called."""

    id: str | None = None
    name: str | None = None
    args: dict[str, Any] | None = None
    partial_args: tuple[PartialArg, ...] | None = None
    will_continue: bool | None = None


class FunctionResponse(Sparse):
    """What a function returned."""

    id: str | None = None
    name: str | None = None
    response: dict[str, Any] | None = None
    will_continue: bool | None = None
    scheduling: str | None = None


class ExecutableCode(Sparse):
    """Code that the model wrote to run itself."""

    id: str | None = None
    language: str | None = None
    code: str | None = None


class CodeExecutionResult(Sparse):
    """What that code printed."""

    id: str | None = None
    outcome: str | None = None
    output: str | None = None


class ToolCall(Sparse):
    """A call of one of the service's own tools."""

    id: str | None = None
    tool_type: str | None = None
    args: dict[str, Any] | None = None


class ToolResponse(Sparse):
    """What such a tool answered."""

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
    """What was said in sound."""

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
    """Its place among the candidate's parts, from 0."""
    text: str | None = None
    """Of a thought; and of the answer, where its text has several parts."""
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
    """Of the file, in hexadecimal digits."""
    uri: str | None = None


# ------------------------------------------------------------ sources


class AuthorAttribution(Sparse):
    """Who wrote a review."""

    display_name: str | None = None
    uri: str | None = None
    photo_uri: str | None = None


class ReviewSnippet(Sparse):
    """A piece of a review of a place."""

    review_id: str | None = None
    title: str | None = None
    review: str | None = None
    author_attribution: AuthorAttribution | None = None
    relative_publish_time_description: str | None = None
    google_maps_uri: str | None = None
    flag_content_uri: str | None = None


class PlaceAnswerSources(Sparse):
    """The sources of an answer about a place."""

    review_snippets: tuple[ReviewSnippet, ...] | None = None
    review_snippet: ReviewSnippet | None = None
    flag_content_uri: str | None = None


class Route(Sparse):
    """A way between places."""

    distance_meters: int | None = None
    duration: str | None = None
    encoded_polyline: str | None = None


class MapsChunk(Sparse):
    """A place."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    place_id: str | None = None
    place_answer_sources: PlaceAnswerSources | None = None
    route: Route | None = None


class PageSpan(Sparse):
    """Pages of a document."""

    first_page: int | None = None
    last_page: int | None = None


class RagChunk(Sparse):
    """A piece of a document that was retrieved."""

    text: str | None = None
    page_span: PageSpan | None = None
    chunk_id: str | None = None
    file_id: str | None = None


class Strings(Sparse):
    """A list of strings."""

    values: tuple[str, ...] | None = None


class CustomMetadata(Sparse):
    """What the author of a document says about it."""

    key: str | None = None
    string_value: str | None = None
    numeric_value: float | None = None
    string_list_value: Strings | None = None


class RetrievedContext(Sparse):
    """A document that was retrieved."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    document_name: str | None = None
    rag_chunk: RagChunk | None = None
    file_search_store: str | None = None
    page_number: int | None = None
    media_id: str | None = None
    custom_metadata: tuple[CustomMetadata, ...] | None = None


class WebChunk(Sparse):
    """A web page."""

    uri: str | None = None
    title: str | None = None
    domain: str | None = None


class ImageChunk(Sparse):
    """A picture from the web."""

    source_uri: str | None = None
    image_uri: str | None = None
    title: str | None = None
    domain: str | None = None


class GroundingChunk(Sparse):
    """A source."""

    web: WebChunk | None = None
    image: ImageChunk | None = None
    retrieved_context: RetrievedContext | None = None
    maps: MapsChunk | None = None


class Segment(Sparse):
    """A piece of the answer's text, in bytes of UTF-8."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class GroundingSupport(Sparse):
    """Which sources support a piece of the answer."""

    segment: Segment | None = None
    grounding_chunk_indices: tuple[int, ...] | None = None
    confidence_scores: tuple[float, ...] | None = None
    rendered_parts: tuple[int, ...] | None = None


class SearchEntryPoint(Sparse):
    """What is to be shown beside a grounded answer."""

    rendered_content: str | None = None
    sdk_blob: str | None = None


class RetrievalMetadata(Sparse):
    """How much a search would have helped."""

    google_search_dynamic_retrieval_score: float | None = None


class SourceFlaggingUri(Sparse):
    """Where to complain about a source."""

    source_id: str | None = None
    flag_content_uri: str | None = None


class UrlMetadata(Sparse):
    """What happened to an address that the model was asked to read."""

    retrieved_url: str | None = None
    url_retrieval_status: str | None = None


class Grounding(Sparse):
    """Where an answer comes from: ``groundingMetadata``, and ``urlContextMetadata`` as `url_metadata`."""

    web_search_queries: tuple[str, ...] | None = None
    image_search_queries: tuple[str, ...] | None = None
    retrieval_queries: tuple[str, ...] | None = None
    grounding_chunks: tuple[GroundingChunk, ...] | None = None
    grounding_supports: tuple[GroundingSupport, ...] | None = None
    search_entry_point: SearchEntryPoint | None = None
    retrieval_metadata: RetrievalMetadata | None = None
    google_maps_widget_context_token: str | None = None
    source_flagging_uris: tuple[SourceFlaggingUri, ...] | None = None
    url_metadata: tuple[UrlMetadata, ...] | None = None


class Date(Sparse):
    """A day; 0: not known."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


class Citation(Sparse):
    """A source of a piece of the answer."""

    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None
    license: str | None = None
    publication_date: Date | None = None
    cited_text: str | None = None
    """Of Claude's answers: the words of the source."""


# ------------------------------------------------------------ probabilities


class TokenLogprob(Sparse):
    """How likely a token was."""

    token: str | None = None
    token_id: int | None = None
    log_probability: float | None = None


class TopLogprobs(Sparse):
    """The likeliest tokens at one place."""

    candidates: tuple[TokenLogprob, ...] | None = None


class Logprobs(Sparse):
    """How likely each token of an answer was."""

    chosen_candidates: tuple[TokenLogprob, ...] | None = None
    top_candidates: tuple[TopLogprobs, ...] | None = None
    log_probability_sum: float | None = None


# ------------------------------------------------------------ candidates


class Candidate(Sparse):
    """One of several answers to a request."""

    index: int = 0
    text: str | None = None
    finish_reason: str | None = None
    grounding: Grounding | None = None
    citations: tuple[Citation, ...] | None = None
    logprobs: Logprobs | None = None

    _always: ClassVar[frozenset[str]] = frozenset(("text", "finish_reason"))
