"""Every batch and file call of Google's SDK, made against an emulator; prints what came back as JSON.

Runs in an environment that holds google-genai and not this package:
``python sdk_calls.py gemini|vertex sync|async '{"url": ..., ...}'``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google import genai
from google.genai import errors, types
from google.oauth2 import service_account

MEBIBYTE = 1 << 20
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Caller:
    """Makes a call of the sync or of the async client, and waits for it."""

    def __init__(self, client: Any, *, is_async: bool) -> None:
        self.api = client.aio if is_async else client
        self.is_async = is_async

    async def __call__(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def every(self, method: Callable[..., Any], **config: Any) -> list[Any]:
        pages = await self(method, config=config)
        return [one async for one in pages] if self.is_async else list(pages)

    async def to_the_end(self, job: Any) -> Any:
        for _ in range(20):
            if job.done:
                return job
            job = await self(self.api.batches.get, name=job.name)
        message = f"{job.name} is still {job.state}"
        raise AssertionError(message)

    async def refused(self, method: Callable[..., Any], **kwargs: Any) -> list[Any]:
        try:
            await self(method, **kwargs)
        except errors.APIError as problem:
            return [problem.code, problem.status]
        return [200, "OK"]


def rows_file(folder: Path, name: str, count: int, padding: int = 0) -> Path:
    path = folder / name
    with path.open("w") as target:
        for number in range(count):
            part = {"text": f"say {number} " + "x" * padding}
            request = {"contents": [{"role": "user", "parts": [part]}]}
            target.write(json.dumps({"key": f"row-{number}", "request": request}) + "\n")
    return path


def embeddings_file(folder: Path) -> Path:
    path = folder / "embeddings.jsonl"
    request = {"content": {"parts": [{"text": "hello"}]}, "output_dimensionality": 8}
    path.write_text(json.dumps({"key": "e-1", "request": request}) + "\n")
    return path


async def gemini(url: str, *, is_async: bool) -> dict[str, Any]:
    client = genai.Client(api_key="any", http_options={"base_url": url})
    call = Caller(client, is_async=is_async)
    batches, files = call.api.batches, call.api.files
    found: dict[str, Any] = {}
    model = "gemini-2.5-flash"

    inline = [{"contents": "hi", "metadata": {"key": "a"}}, {"contents": "ho", "metadata": {"key": "b"}}]
    job = await call(batches.create, model=model, src=inline, config={"display_name": "inline job"})
    job = await call.to_the_end(job)
    answers = job.dest.inlined_responses
    found["inline"] = [
        job.state.name,
        [one.response.text for one in answers],
        [one.metadata for one in answers],
    ]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = {"mime_type": "application/jsonl", "name": "files/small-in", "display_name": "small"}
        small = await call(files.upload, file=str(rows_file(folder, "small.jsonl", 3)), config=config)
        large_path = rows_file(folder, "large.jsonl", 9, padding=MEBIBYTE)
        large = await call(files.upload, file=str(large_path), config={"mime_type": "application/jsonl"})
        found["uploads"] = [small.name, small.state.name, large.size_bytes - large_path.stat().st_size]
        vectors = await call(
            files.upload, file=str(embeddings_file(folder)), config={"mime_type": "application/jsonl"}
        )
    fetched = await call(files.get, name=small.name)
    found["file"] = [fetched.name, fetched.display_name, fetched.size_bytes == small.size_bytes]
    found["files"] = len(await call.every(files.list, page_size=1))

    job = await call.to_the_end(await call(batches.create, model=model, src=large.name))
    output = await call(files.download, file=job.dest.file_name)
    lines = [json.loads(line) for line in output.decode().splitlines()]
    found["file_job"] = [job.state.name, sorted(line["key"] for line in lines), len(lines[0]["response"])]
    found["output_get"] = await call.refused(files.get, name=job.dest.file_name)

    # The async client has no create_embeddings that differs; both take the same sources.
    source = {"inlined_requests": {"contents": ["one", "two"], "config": {"output_dimensionality": 4}}}
    create = batches.create_embeddings
    job = await call.to_the_end(await call(create, model="gemini-embedding-001", src=source))
    values = [one.response.embedding.values for one in job.dest.inlined_embed_content_responses]
    found["embeddings"] = [[len(one) for one in values], round(sum(x * x for x in values[0]), 3)]
    job = await call(create, model="gemini-embedding-001", src={"file_name": vectors.name})
    job = await call.to_the_end(job)
    output = await call(files.download, file=job.dest.file_name)
    found["embeddings_file"] = len(json.loads(output)["response"]["embedding"]["values"])

    found["list"] = [one.display_name for one in await call.every(batches.list, page_size=2)]
    job = await call(batches.create, model=model, src=inline)
    await call(batches.cancel, name=job.name)
    found["cancelled"] = (await call(batches.get, name=job.name)).state.name
    await call(batches.delete, name=job.name)
    found["deleted"] = await call.refused(batches.get, name=job.name)
    await call(files.delete, name=small.name)
    found["file_deleted"] = await call.refused(files.get, name=small.name)
    found["unknown_model"] = await call.refused(batches.create, model="gemini-no-such-model", src=inline)
    return found


async def vertex(url: str, given: dict[str, Any], *, is_async: bool) -> dict[str, Any]:
    account = service_account.Credentials.from_service_account_info(given["account"], scopes=[SCOPE])
    client = genai.Client(
        vertexai=True,
        project="emulator-project",
        location="us-central1",
        credentials=account,
        http_options={"base_url": url},
    )
    call = Caller(client, is_async=is_async)
    batches = call.api.batches
    found: dict[str, Any] = {}
    model = "gemini-2.5-flash"

    async def run(name: str, src: Any, dest: Any = None, model: str = model) -> Any:
        config = types.CreateBatchJobConfig(display_name=name, dest=dest)
        return await call.to_the_end(await call(batches.create, model=model, src=src, config=config))

    job = await run("from gs", given["one"])
    found["gcs"] = [job.state.name, job.completion_stats.successful_count, job.dest.gcs_uri]
    source = {"gcs_uri": [given["one"], given["two"]], "format": "jsonl"}
    job = await run("from a list", source, given["dest"])
    found["gcs_list"] = [job.state.name, job.completion_stats.successful_count]
    job = await run("from a table", given["table"])
    found["bigquery"] = [job.state.name, job.completion_stats.successful_count, job.dest.bigquery_uri]
    job = await run("to a table", given["one"], f"{given['table']}_{'a' if is_async else 's'}out")
    found["mixed"] = [job.state.name, job.dest.bigquery_uri]
    job = await run("embeddings", given["vectors"], model="gemini-embedding-001")
    found["embeddings"] = [job.state.name, job.completion_stats.successful_count]
    job = await run("no bucket", "gs://no-such-bucket/in.jsonl")
    found["late_failure"] = [job.state.name, job.error.code]

    listed = await call.every(
        batches.list, page_size=2, filter='display_name="from gs" OR display_name:"to a*"'
    )
    found["filter"] = sorted({one.display_name for one in listed})
    found["list"] = len({one.name for one in await call.every(batches.list, page_size=3)}) >= 6

    job = await call(batches.create, model=model, src=given["one"], config={"display_name": "to cancel"})
    await call(batches.cancel, name=job.name)
    job = await call.to_the_end(job)
    found["cancelled"] = [job.state.name, job.error.code]
    found["cancel_again"] = await call.refused(batches.cancel, name=job.name)
    operation = await call(batches.delete, name=job.name)
    found["deleted"] = ["/operations/" in operation.name, await call.refused(batches.get, name=job.name)]
    found["unknown_model"] = await call.refused(
        batches.create, model="gemini-no-such-model", src=given["one"], config={"display_name": "x"}
    )
    return found


def main() -> None:
    backend, way, raw = sys.argv[1:]
    given = json.loads(raw)
    is_async = way == "async"
    run = (
        vertex(given["url"], given, is_async=is_async)
        if backend == "vertex"
        else gemini(given["url"], is_async=is_async)
    )
    print(json.dumps(asyncio.run(run)))  # noqa: T201 - its reply to the test


if __name__ == "__main__":
    main()
