"""Objects are joined in Cloud Storage, and only while they are the ones that were meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.composition import compose
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import NotFound, PreconditionFailed
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.wire.services.storage import Object
from tests.operators.scenes import client as default_client


@pytest.fixture
def client(vertex: Emulator) -> Iterator[GenAIBatchClient]:
    del vertex
    with default_client() as service:
        yield service


@pytest.fixture
def folder() -> str:
    return f"gs://emulator-staging/{uuid4().hex}"


def put(client: GenAIBatchClient, uri: str, data: bytes) -> Object:
    from io import BytesIO

    client.upload(BytesIO(data), uri)
    return client.perform(client.calls.get_object(uri))


@pytest.mark.parametrize("number", [1, 2, 32, 33, 65])
def test_the_bytes_stand_behind_each_other(client: GenAIBatchClient, folder: str, number: int) -> None:
    sources = [put(client, f"{folder}/{one:03}", b"line %d\n" % one) for one in range(number)]
    whole = client.run(compose(client.calls, sources, f"{folder}/whole"))
    assert b"".join(client.download(whole.uri)) == b"".join(b"line %d\n" % one for one in range(number))
    assert whole.size == sum(one.size or 0 for one in sources)
    with pytest.raises(NotFound):
        client.perform(client.calls.get_object(f"{folder}/000.joined-00000"))


def test_no_call_has_more_sources_than_the_service_takes(client: GenAIBatchClient, folder: str) -> None:
    sources = [Object(f"{folder}/{one}", 1, "7") for one in range(1024)]
    asked = []

    def answer(call: Any) -> Object:
        asked.append(call.request.body.count(b"ifGenerationMatch") if call.request.body else 0)
        return Object(f"{folder}/joined-{len(asked)}", 32, "8")

    drive(compose(client.calls, sources, f"{folder}/whole"), answer)
    assert asked == [32] * 32 + [32] + [0] * 32


def test_an_object_that_has_changed_since_is_not_joined(client: GenAIBatchClient, folder: str) -> None:
    sources = [put(client, f"{folder}/{one}", b"line\n") for one in range(2)]
    put(client, f"{folder}/whole", b"as before\n")
    put(client, f"{folder}/1", b"another\n")
    with pytest.raises(PreconditionFailed):
        client.run(compose(client.calls, sources, f"{folder}/whole"))
    assert b"".join(client.download(f"{folder}/whole")) == b"as before\n"
