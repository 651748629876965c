"""Where an answer comes from: grounding, and citations.

Source: google-genai's ``types`` and the REST references of both services, 2026.
"""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.sparse import Sparse


class AuthorAttribution(Sparse):
    """Who wrote a review."""

    display_name: str | None = None
    uri: str | None = None
    photo_uri: str | None = None


class ReviewSnippet(Sparse):
    """A part of a review of a place."""

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
    """A route between places."""

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
    """A part of a retrieved document."""

    text: str | None = None
    page_span: PageSpan | None = None
    chunk_id: str | None = None
    file_id: str | None = None


class Strings(Sparse):
    """A list of strings."""

    values: tuple[str, ...] | None = None


class CustomMetadata(Sparse):
    """Metadata that the owner of a document added to it."""

    key: str | None = None
    string_value: str | None = None
    numeric_value: float | None = None
    string_list_value: Strings | None = None


class RetrievedContext(Sparse):
    """A retrieved document."""

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
    """A part of the answer's text; positions are in bytes of UTF-8."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class GroundingSupport(Sparse):
    """Which sources support a part of the answer."""

    segment: Segment | None = None
    grounding_chunk_indices: tuple[int, ...] | None = None
    confidence_scores: tuple[float, ...] | None = None
    rendered_parts: tuple[int, ...] | None = None


class SearchEntryPoint(Sparse):
    """The search suggestions to show beside a grounded answer."""

    rendered_content: str | None = None
    sdk_blob: str | None = None


class RetrievalMetadata(Sparse):
    """How much a search would have helped."""

    google_search_dynamic_retrieval_score: float | None = None


class SourceFlaggingUri(Sparse):
    """An address for reports about a source."""

    source_id: str | None = None
    flag_content_uri: str | None = None


class UrlMetadata(Sparse):
    """The result of reading an address for the model."""

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
    """A source of a part of the answer."""

    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None
    license: str | None = None
    publication_date: Date | None = None
    cited_text: str | None = None
    """Only in Claude's answers: the quoted words of the source."""
