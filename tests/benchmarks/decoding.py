"""Downloads a job's rows and decodes them by msgspec, as typed objects of what a row holds; prints what it cost.

Nothing that lands rows can cost less. A process of its own. Arguments: address, kind, rows.
"""

from __future__ import annotations

import json
import sys

from msgspec import Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models.base import Backend
from tests.benchmarks.meter import measured

_WARM_UP = 1000


class _Part(Struct, gc=False):
    text: str


class _Content(Struct, gc=False):
    parts: list[_Part]


class _Candidate(Struct, gc=False, rename="camel"):
    content: _Content
    finish_reason: str


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: int
    candidates_token_count: int
    total_token_count: int


class _Response(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate]
    usage_metadata: _Usage
    model_version: str


class _Line(Struct, gc=False):
    key: str
    response: _Response


def main(address: str, kind: str, rows: int) -> dict[str, float]:
    """Decode a few rows, so that all code is there, and then all."""
    decode = Decoder(_Line).decode_lines
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="benchmark", host=address)) as client:

        def read(number: int) -> None:
            rest, found = b"", 0
            for chunk in client.download(f"files/{kind}-{number}"):
                block = rest + chunk
                end = block.rfind(b"\n") + 1
                found += len(decode(block[:end]))
                rest = block[end:]
            assert found == number, found

        read(_WARM_UP)
        return measured(lambda: read(rows), rows)


if __name__ == "__main__":
    _, one, two, three = sys.argv
    print(json.dumps(main(one, two, int(three))))  # noqa: T201 - it is read
