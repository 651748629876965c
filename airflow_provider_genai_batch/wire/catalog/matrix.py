"""What runs in a batch: models, places of requests and rows, and locations, in one table with sources.

If the documents do not mention a combination, or disagree about it, the job is sent, with a note in the log: at worst
the service refuses to create it, which costs nothing. `docs/reference/models.md` is generated from this table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.wire.catalog.publishers import publisher_of


class State(str, Enum):
    """What the documents say about one cell."""

    YES = "yes"
    SILENT = "silent"
    CONFLICT = "conflict"
    NO = "no"


class Mark(NamedTuple):
    """One cell of the table."""

    state: State
    note: str = ""
    """Why not, and what to do instead; or what is uncertain."""

    @property
    def allowed(self) -> bool:
        """Whether a job is sent."""
        return self.state is not State.NO


YES, SILENT = Mark(State.YES), Mark(State.SILENT)
WAYS = ("gs:// to gs://", "bq:// to bq://", "gs:// to bq://", "bq:// to gs://")
"""Where Vertex AI reads requests and writes rows; lists and other files are staged in gs:// first."""
PLACES = ("a region", "global", "us or eu")
"""Kinds of locations of Vertex AI."""


class Kind(NamedTuple):
    """A group of models for which all facts are the same."""

    name: str
    example: str
    """An example of a model's name."""
    is_one: re.Pattern[str]
    """Matches ``publisher/name``, or ``/name`` without a publisher for a tuned model."""
    ways: Mapping[str, Mark]
    places: Mapping[str, Mark]
    source: str
    """The source of the facts."""


def _ways(gs: Mark, bq: Mark, mixed: Mark) -> dict[str, Mark]:
    return dict(zip(WAYS, (gs, bq, mixed, mixed), strict=True))


def _places(region: Mark, everywhere: Mark, multi: Mark) -> dict[str, Mark]:
    return dict(zip(PLACES, (region, everywhere, multi), strict=True))


_PARTNERS_NOT_GLOBAL = Mark(
    State.NO,
    'batch jobs of partner models do not run in the location global: set "location" in the connection\'s extra to a '
    "region that serves the model, such as us-east5 (newer Claude models are served in us and eu), with bucket or "
    "tables there",
)
_OPEN_NOT_GLOBAL = Mark(
    State.NO,
    'batch jobs of open models do not run in the location global: set "location" in the connection\'s extra to a '
    "region that serves the model, such as us-central1 (gpt-oss) or us-east5 (Llama 4)",
)
_TUNED_NOT_GLOBAL = Mark(
    State.NO,
    "a tuned model runs where it is: set \"location\" in the connection's extra to the region in the model's name",
)
_EMBEDDINGS_NOT_GLOBAL = Mark(
    State.NO,
    'Google lists regions for batches of this model, and global is not one: set "location" in the connection\'s extra '
    "to one such as us-central1, or take gemini-embedding-2",
)
_EMBEDDINGS_NOT_IN_BIGQUERY = Mark(
    State.NO,
    "batches of gemini-embedding models read and write Cloud Storage only: export the table to gs://, and give dest "
    "as gs://bucket/prefix/; text-embedding models take BigQuery",
)
_IN_BATCH = "Batch inference with Gemini (2026-09-03)"
_CLAUDE = (
    "Batch predictions with Anthropic Claude models (autumn 2026); Anthropic: Claude on Vertex (2026-10-08)"
)

MATRIX: tuple[Kind, ...] = (
    Kind(
        "Gemini image 3.1",
        "gemini-3.1-flash-image",
        re.compile(r"google/gemini-3\.1-.*image.*"),
        _ways(YES, SILENT, SILENT),
        _places(
            Mark(
                State.NO,
                'its page has the location global alone: set "location" in the connection\'s extra to global',
            ),
            YES,
            SILENT,
        ),
        f"{_IN_BATCH}: pictures of 1K only; the model's page",
    ),
    Kind(
        "Gemini image",
        "gemini-2.5-flash-image",
        re.compile("google/gemini-.*image.*"),
        _ways(YES, SILENT, SILENT),
        _places(YES, YES, SILENT),
        f"{_IN_BATCH}: pictures of 1K only",
    ),
    Kind(
        "Gemini speech",
        "gemini-2.5-flash-preview-tts",
        re.compile("google/gemini-.*tts.*"),
        _ways(
            Mark(
                State.CONFLICT,
                "priced for batch, and reported as refused (google-gemini/cookbook#1077, #926)",
            ),
            SILENT,
            SILENT,
        ),
        _places(YES, YES, SILENT),
        "Pricing; google-gemini/cookbook#1077 (2025-12), #926 (2026-04-22)",
    ),
    Kind(
        "gemini-embedding-001",
        "gemini-embedding-001",
        re.compile("google/gemini-embedding-001.*"),
        _ways(YES, _EMBEDDINGS_NOT_IN_BIGQUERY, _EMBEDDINGS_NOT_IN_BIGQUERY),
        _places(YES, _EMBEDDINGS_NOT_GLOBAL, SILENT),
        "Get batch embeddings inferences (2026): us-central1, us-east1, us-east4, us-west1, us-west4, europe-west1, "
        "europe-west4",
    ),
    Kind(
        "gemini-embedding-2",
        "gemini-embedding-2",
        re.compile("google/gemini-embedding.*"),
        _ways(YES, _EMBEDDINGS_NOT_IN_BIGQUERY, _EMBEDDINGS_NOT_IN_BIGQUERY),
        _places(SILENT, YES, YES),
        "Get batch embeddings inferences (2026)",
    ),
    Kind(
        "text-embedding, text-multilingual-embedding",
        "text-embedding-005",
        re.compile("google/.*embedding.*"),
        _ways(YES, YES, SILENT),
        _places(YES, _EMBEDDINGS_NOT_GLOBAL, SILENT),
        "Get batch embeddings inferences (2026): all stable text embedding models, 30,000 texts",
    ),
    Kind(
        "Gemini text",
        "gemini-2.5-flash",
        re.compile("google/.*"),
        _ways(YES, YES, SILENT),
        _places(YES, YES, SILENT),
        f"{_IN_BATCH}; googleapis/generative-ai pull request 2391 (2025-10): BigQuery not on global, now not said",
    ),
    Kind(
        "Claude",
        "publishers/anthropic/models/claude-sonnet-4-6",
        re.compile("anthropic/.*"),
        _ways(YES, YES, YES),
        _places(
            Mark(
                State.CONFLICT,
                "regions serve Sonnet 4.6 and earlier, newer models only global, us and eu",
            ),
            _PARTNERS_NOT_GLOBAL,
            SILENT,
        ),
        _CLAUDE,
    ),
    Kind(
        "Llama 4, gpt-oss-120b",
        "publishers/openai/models/gpt-oss-120b-maas",
        re.compile("(?:meta|openai)/.*"),
        _ways(YES, YES, YES),
        _places(YES, _OPEN_NOT_GLOBAL, SILENT),
        "Batch prediction of MaaS (autumn 2026); the models' pages: Llama 4 Maverick as supported and as not supported",
    ),
    Kind(
        "Tuned Gemini",
        "projects/P/locations/us-central1/models/123",
        re.compile("/.*"),
        _ways(YES, YES, SILENT),
        _places(YES, _TUNED_NOT_GLOBAL, SILENT),
        f"{_IN_BATCH}: tuned Gemini 2; endpoints: reported as refused (BerriAI/litellm pull request 39668)",
    ),
)
"""For Vertex AI; the first kind that a model's name matches applies. The Gemini API has no buckets or locations."""


def kind_of(model: str) -> Kind:
    """Return the row of a model of Vertex AI."""
    publisher, name = publisher_of(model)
    named = f"{publisher or ''}/{name}"
    return next((kind for kind in MATRIX if kind.is_one.fullmatch(named)), MATRIX[-1])


def place_of(location: str) -> str:
    """Return the kind of location, one of `PLACES`."""
    if location == "global":
        return "global"
    return "us or eu" if location in ("us", "eu") else "a region"


def check_places(
    model: str, source: BatchSource, destination: BatchDestination | None, location: str | None
) -> Iterator[str]:
    """Refuse a job on Vertex AI that the documents rule out, and note what they do not say.

    Args:
        model: a name that `read_model` returned.
        source: where requests are read; staged input is read from gs://.
        destination: where rows are written; None: beside the input.
        location: the connection's location; None: not known yet.

    Returns:
        Notes for the log.

    Raises:
        UnsupportedError: the documents rule it out; with what to do instead.
    """
    kind = kind_of(model)
    came = "bq://" if source.bigquery_uri else "gs://"
    went = came if destination is None else "bq://" if destination.bigquery_uri else "gs://"
    way, place = f"{came} to {went}", None if location is None else place_of(location)
    cells = [(way, kind.ways[way])]
    if place is not None:
        cells.append((f"the location {location}", kind.places[place]))
    for what, mark in cells:
        if not mark.allowed:
            msg = f"model={model!r} does not run in a batch with {what}: {mark.note}. Nothing was sent."
            raise UnsupportedError(msg)
    return (_note(model, what, mark) for what, mark in cells if mark.state is not State.YES)


def _note(model: str, what: str, mark: Mark) -> str:
    said = (
        f"Google's pages disagree on it: {mark.note}"
        if mark.state is State.CONFLICT
        else "Google's pages do not say"
    )
    return (
        f"Whether a batch runs {model} with {what} is not certain. {said}. The job is sent; if the service does not "
        f"accept it, it refuses the create call, which costs nothing."
    )
