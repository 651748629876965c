"""The same request gets the same verdict by every door, with and without defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.__main__ import main
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.emulator import STAGING_BUCKET as BUCKET
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from tests.client.places import vertex_config
from tests.requests.cases import BESIDE, EMBEDS, FLASH, OUTPUT, REFUSED, TAKEN, Refused, lines

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
CONFIGS = {backend: ClientConfig(backend=backend, api_key="k", project="p") for backend in Backend}
TURN = {"role": "user", "parts": [{"text": "Good or bad?"}]}
GOOD = {
    FLASH: {"key": "good", "request": {"contents": [TURN]}},
    EMBEDS: {"key": "good", "request": {"content": TURN}},
}
DEFAULTS = {FLASH: {"top_p": 0.5}, EMBEDS: {"output_dimensionality": 8}}
Rows = list[dict[str, Any]]
Door = Callable[[list[str], Backend, str, Any, Path], Rows]


def asked(source: BatchSource, backend: Backend, model: str, defaults: Any) -> Rows:
    """Give what goes to the service."""
    with (
        GenAIBatchClient(CONFIGS[backend]) as client,
        read_input(client, source, model=model, request_defaults=defaults) as prepared,
    ):
        if prepared.lines is None:
            return [dict(entry) for entry in prepared.entries]
        prepared.lines.seek(0)
        return [json.loads(line) for line in prepared.lines]


def in_a_list(given: list[str], backend: Backend, model: str, defaults: Any, folder: Path) -> Rows:
    return asked(read_source([json.loads(line) for line in given]), backend, model, defaults)


def by_a_generator(given: list[str], backend: Backend, model: str, defaults: Any, folder: Path) -> Rows:
    return asked(read_source(json.loads(line) for line in given), backend, model, defaults)


def by_a_file(given: list[str], backend: Backend, model: str, defaults: Any, folder: Path) -> Rows:
    path = folder / "in.jsonl"
    path.write_text("\n".join(given))
    return asked(BatchSource(path=str(path)), backend, model, defaults)


def by_the_client(given: list[str], backend: Backend, model: str, defaults: Any, folder: Path) -> Rows:
    if backend is VERTEX:  # its create takes what is in Cloud Storage
        return in_a_list(given, backend, model, defaults, folder)
    items = [json.loads(line) for line in given]
    spec = job_spec(CONFIGS[backend], model, items, request_defaults=defaults)
    return [dict(entry) for entry in spec.entries]


DOORS: list[Door] = [in_a_list, by_a_generator, by_a_file, by_the_client]
each_refused = pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.backend}-{case.name}")


@pytest.mark.parametrize("with_defaults", [False, True])
@pytest.mark.parametrize("door", DOORS)
@each_refused
def test_a_bad_request_is_refused_by_every_door(
    case: Refused, door: Door, with_defaults: bool, tmp_path: Path
) -> None:
    defaults = DEFAULTS[case.model] if with_defaults else None
    with pytest.raises(RequestError) as caught:
        door([json.dumps(GOOD[case.model]), case.line], case.backend, case.model, defaults, tmp_path)
    wrong = caught.value
    assert wrong.where.startswith(("request 2", "line 2 of "))
    assert case.reason in wrong.reason
    assert case.remedy in wrong.remedy
    assert wrong.remedy


@pytest.mark.parametrize("with_defaults", [False, True])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("case", TAKEN)
def test_a_request_in_another_spelling_is_written_as_the_service_takes_it(
    case: str, backend: Backend, door: Door, with_defaults: bool, tmp_path: Path
) -> None:
    (line,), wanted = lines(case), TAKEN[case]
    (row,) = door([line], backend, FLASH, DEFAULTS[FLASH] if with_defaults else None, tmp_path)
    config = {"generationConfig": {"topP": 0.5}} if with_defaults else {}
    assert row["request"] == {**json.loads(line)["request"], **config, **wanted}


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ('"generationConfig": {"topK": 3', ', "maxTokens": null}'),
        ('"generationConfig": {"topK": 3', ', "cachedContent": null}'),
        ('"toolConfig": {"functionCallingConfig": {"mode": "ANY"', ', "modus": null}}'),
        ('"systemInstruction": {"parts": [{"text": "Be brief."', ', "txt": null}]}'),
        ('"labels": {"a": "b"}', ', "config": null'),
    ],
)
def test_a_name_that_the_service_does_not_know_is_not_sent_with_null_either(
    before: str, behind: str, backend: Backend, door: Door, tmp_path: Path
) -> None:
    given, clean = (
        f'{{"key": "a", "request": {{"contents": [{json.dumps(TURN)}], {config}}}}}'
        for config in (before + behind, before + re.sub(r", .*null", "", behind))
    )
    ((row,), (wanted,)) = (door([line], backend, FLASH, None, tmp_path) for line in (given, clean))
    assert row == wanted


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "fields",
    [
        '"generationConfig": {"top_P": 0.5}',
        '"generation_Config": {"topP": 0.5}',
        '"generationConfig": {"topP": 0.5, "top_K": null}',
        '"generationConfig": {"topP": 0.5}, "generation_config": null',
        '"generation_config": null, "generationConfig": {"topP": 0.5}',
        '"generationConfig": {"topP": 0.5, "top_p": null}',
    ],
)
def test_a_field_is_sent_once_and_in_a_spelling_that_the_services_know(
    fields: str, backend: Backend, door: Door, tmp_path: Path
) -> None:
    given, clean = (
        f'{{"key": "a", "request": {{"contents": [{json.dumps(TURN)}], {written}}}}}'
        for written in (fields, '"generationConfig": {"topP": 0.5}')
    )
    ((row,), (wanted,)) = (door([line], backend, FLASH, None, tmp_path) for line in (given, clean))
    assert row == wanted


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("content", ["Good or bad?", TURN, [TURN], {"text": "Good or bad?"}])
def test_a_model_for_texts_only_gets_the_text_of_a_content(door: Door, content: Any, tmp_path: Path) -> None:
    given = [json.dumps({"content": content})]
    assert door(given, VERTEX, "text-embedding-005", None, tmp_path) == [{"content": "Good or bad?"}]


@pytest.mark.parametrize("with_defaults", [False, True])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", BESIDE)
def test_vertex_takes_what_stands_beside_a_request_and_gemini_refuses_it(
    case: str, door: Door, with_defaults: bool, tmp_path: Path
) -> None:
    given, defaults = lines(case), DEFAULTS[FLASH] if with_defaults else None
    rows = door(given, VERTEX, FLASH, defaults, tmp_path)
    assert [row[case] for row in rows] == [json.loads(line)[case] for line in given]
    assert [row["key"] for row in rows] == [f"r{number:08d}" for number in range(len(given))]
    with pytest.raises(RequestError, match=case):
        door(given, GEMINI, FLASH, defaults, tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_a_jobs_output_is_an_input_of_the_next(door: Door, tmp_path: Path) -> None:
    assert door(OUTPUT, VERTEX, FLASH, None, tmp_path) == [json.loads(line) for line in OUTPUT]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("beside", [{"tags": []}, {"meta": {"tags": [], "a": 1}}])
def test_a_list_that_the_service_has_emptied_does_not_end_a_job_for_good(
    beside: dict[str, Any], door: Door, tmp_path: Path
) -> None:
    given = [json.dumps({**json.loads(line), **beside}) for line in OUTPUT]
    assert door(given, VERTEX, FLASH, None, tmp_path) == [json.loads(line) for line in given]
    fresh = {**GOOD[FLASH], **beside}
    with pytest.raises(RequestError, match="gives lists back empty"):
        door([json.dumps(fresh)], VERTEX, FLASH, None, tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_a_key_that_the_service_took_for_a_number_is_read_as_text(door: Door, tmp_path: Path) -> None:
    given = [
        json.dumps({**json.loads(line), "key": key}) for line, key in zip(OUTPUT, (42, 4.5), strict=True)
    ]
    rows = door(given, VERTEX, FLASH, None, tmp_path)
    assert [row["key"] for row in rows] == ["key=42", "key=4.5"]
    assert [row["response"] for row in rows] == [json.loads(line)["response"] for line in OUTPUT]


def test_objects_in_cloud_storage_are_read_where_they_are(cloud_storage: CloudStorage) -> None:
    with (
        Emulator(storage=cloud_storage) as emulator,
        GenAIBatchClient(vertex_config(emulator)) as client,
    ):
        for number, case in enumerate(case for case in REFUSED if case.backend is VERTEX):
            uris = [f"gs://{BUCKET}/doors/{number}/{name}.jsonl" for name in ("a", "b")]
            cloud_storage.write(uris[0], [json.dumps(GOOD[case.model]).encode()])
            cloud_storage.write(uris[1], [b"\n", case.line.encode()])
            with (
                pytest.raises(RequestError) as caught,
                read_input(client, BatchSource(gcs_uri=tuple(uris)), model=case.model),
            ):
                pass
            assert caught.value.where == f"line 2 of {uris[1]}"
            assert case.reason in caught.value.reason
        uri = f"gs://{BUCKET}/doors/output/prediction-model-2026-01-02T03:04:05.000001Z"
        cloud_storage.write(f"{uri}/predictions.jsonl", [f"{line}\n".encode() for line in OUTPUT])
        for src in (uri, f"{uri}/", f"{uri}/predictions.jsonl"):
            with read_input(client, read_source(src), model=FLASH) as prepared:
                assert prepared.in_place
                assert prepared.source.gcs_uri == (f"{uri}/predictions.jsonl",)
                assert list(prepared.keys()) == ["a", "b"]
        uri = f"gs://{BUCKET}/doors/prediction-requests.jsonl"  # a file, although directories begin like this
        cloud_storage.write(uri, [json.dumps(GOOD[FLASH]).encode()])
        with read_input(client, read_source(uri), model=FLASH) as prepared:
            assert prepared.source.gcs_uri == (uri,)


@each_refused
def test_the_check_command_gives_the_same_verdict(case: Refused, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f"{json.dumps(GOOD[case.model])}\n{case.line}\n")
    with pytest.raises(SystemExit) as caught:
        main(["check", str(path), "--backend", str(case.backend), "--model", case.model])
    assert f"line 2 of {path}" in str(caught.value)
    assert case.reason in str(caught.value)
