"""Whole create calls; like `cases`, free of this package."""

from __future__ import annotations

from typing import Any

try:
    from cases import Case
except ImportError:  # inside the test process this is a package
    from tests.referee.cases import Case


def _job(model: str, src: Any, config: Any = None) -> dict[str, Any]:
    return {"model": model, "src": src, **({} if config is None else {"config": config})}


def _named(**more: Any) -> dict[str, Any]:
    return {"display_name": "nightly-42", **more}


_FLASH, _EMBED = "gemini-2.5-flash", "gemini-embedding-001"

GEMINI_JOBS = [
    Case("a file", lambda _: _job(_FLASH, "files/in1")),
    Case("a file with a name for the job", lambda _: _job(_FLASH, "files/in1", _named())),
    Case("a file as dict", lambda _: _job(_FLASH, {"file_name": "files/in1"})),
    Case("a file as source object", lambda t: _job(_FLASH, t.BatchJobSource(file_name="files/in1"))),
    Case("a model with its prefix", lambda _: _job("models/gemini-2.5-pro", "files/in1")),
    Case("a tuned model", lambda _: _job("tunedModels/x", "files/in1")),
    Case(
        "a job config object", lambda t: _job(_FLASH, "files/in1", t.CreateBatchJobConfig(display_name="n"))
    ),
    Case(
        "a webhook",
        lambda _: _job(
            _FLASH,
            "files/in1",
            {"webhook_config": {"uris": ["https://h.example"], "user_metadata": {"run_id": "1"}}},
        ),
    ),
    Case(
        "a webhook object",
        lambda t: _job(_FLASH, "files/in1", {"webhook_config": t.WebhookConfig(uris=["https://h.example"])}),
    ),
    Case(
        "two requests", lambda _: _job(_FLASH, [{"contents": "a"}, {"contents": "b", "config": {"seed": 1}}])
    ),
    Case(
        "requests in a source dict",
        lambda _: _job(_FLASH, {"inlined_requests": [{"contents": "a"}]}, _named()),
    ),
    Case(
        "requests in a source object",
        lambda t: _job(_FLASH, t.BatchJobSource(inlined_requests=[t.InlinedRequest(contents="a")])),
    ),
    Case(
        "a request that names the job's model", lambda _: _job(_FLASH, [{"contents": "a", "model": _FLASH}])
    ),
]

GEMINI_EMBEDDINGS = [
    Case("texts to embed", lambda _: _job(_EMBED, {"inlined_requests": {"contents": ["a", "b"]}})),
    Case("one text to embed", lambda _: _job(_EMBED, {"inlined_requests": {"contents": "a"}})),
    Case(
        "texts to embed with a config",
        lambda _: _job(
            _EMBED,
            {
                "inlined_requests": {
                    "contents": ["a", "b"],
                    "config": {"task_type": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": 64},
                }
            },
            _named(),
        ),
    ),
    Case(
        "texts to embed as objects",
        lambda t: _job(
            _EMBED,
            t.EmbeddingsBatchJobSource(
                inlined_requests=t.EmbedContentBatch(
                    contents=[t.Content(parts=[t.Part(text="a")])],
                    config=t.EmbedContentConfig(output_dimensionality=3),
                )
            ),
        ),
    ),
    Case("a file to embed", lambda _: _job(_EMBED, {"file_name": "files/in1"}, _named())),
]

_DEST = {"dest": "gs://b/out"}

VERTEX_JOBS = [
    Case("one object", lambda _: _job(_FLASH, "gs://b/in.jsonl", _named())),
    Case("one object and a place", lambda _: _job(_FLASH, "gs://b/in.jsonl", _named(**_DEST))),
    Case(
        "two objects",
        lambda _: _job(_FLASH, {"gcs_uri": ["gs://b/1.jsonl", "gs://b/2.jsonl"]}, _named(**_DEST)),
    ),
    Case(
        "two objects and no place",
        lambda _: _job(
            _FLASH, {"format": "jsonl", "gcs_uri": ["gs://b/1.jsonl", "gs://b/2.jsonl"]}, _named()
        ),
    ),
    Case("a table", lambda _: _job(_FLASH, "bq://p.d.t", _named())),
    Case("a table to a table", lambda _: _job(_FLASH, "bq://p.d.t", _named(dest="bq://p.d.out"))),
    Case("a table to a dataset", lambda _: _job(_FLASH, "bq://p.d.t", _named(dest="bq://p.d"))),
    Case("a table to Cloud Storage", lambda _: _job(_FLASH, "bq://p.d.t", _named(**_DEST))),
    Case("an object to a table", lambda _: _job(_FLASH, "gs://b/in.jsonl", _named(dest="bq://p.d.out"))),
    Case(
        "source and destination as dicts",
        lambda _: _job(
            _FLASH,
            {"format": "bigquery", "bigquery_uri": "bq://p.d.t"},
            _named(dest={"format": "bigquery", "bigquery_uri": "bq://p.d.out"}),
        ),
    ),
    Case(
        "source and destination as objects",
        lambda t: _job(
            _FLASH,
            t.BatchJobSource(format="jsonl", gcs_uri=["gs://b/in.jsonl"]),
            t.CreateBatchJobConfig(
                display_name="n", dest=t.BatchJobDestination(format="jsonl", gcs_uri="gs://b/out/")
            ),
        ),
    ),
    Case("a publisher's model", lambda _: _job("meta/llama-4", "gs://b/in.jsonl", _named())),
    Case(
        "a publisher's model in full",
        lambda _: _job(f"publishers/google/models/{_FLASH}", "bq://p.d.t", _named()),
    ),
    Case("a tuned model", lambda _: _job("projects/p/locations/l/models/1@2", "gs://b/in.jsonl", _named())),
    Case("a job without a name", lambda _: _job(_FLASH, "gs://b/in.jsonl")),
]
