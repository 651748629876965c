"""What was uploaded for a job is taken away when the job has ended; what users put there stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from tests.client.places import uploaded
from tests.operators.doors import wait_by
from tests.operators.scenes import client, lines

PLACE = "gs://emulator-staging/clean-up"


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    return str(file)


def inputs(emulator: Emulator) -> list[str]:
    return [file["name"] for file in uploaded(emulator) if file["name"].startswith("files/in-")]


def staged(cloud_storage: Any, folder: str) -> list[str]:
    return [uri for uri, _ in cloud_storage.list(f"{PLACE}/{folder}/input/")]


@pytest.mark.parametrize("door", ["in place", "deferred"])
@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED"])
def test_an_upload_goes_with_its_job(gemini: Emulator, path: str, door: str, end: str) -> None:
    gemini.script(JobScript(end=end))
    ran = wait_by(door, path)
    assert ran.state == ("success" if end == "SUCCEEDED" else "failed")
    assert inputs(gemini) == []
    assert [r["method"] for r in gemini.requests].count("files.delete") == 1


@pytest.mark.parametrize("door", ["in place", "deferred"])
def test_a_staged_object_goes_with_its_job(
    vertex: Emulator, cloud_storage: Any, path: str, door: str
) -> None:
    folder = door.replace(" ", "-")
    assert wait_by(door, path, dest=f"{PLACE}/{folder}/").state == "success"
    assert staged(cloud_storage, folder) == []


def test_a_users_own_object_stays(vertex: Emulator, cloud_storage: Any) -> None:
    uri = f"{PLACE}/own/in.jsonl"
    cloud_storage.write(uri, [lines()])
    assert wait_by("in place", uri, dest=f"{PLACE}/own-out/").state == "success"
    assert [found for found, _ in cloud_storage.list(uri)] == [uri]


def test_a_users_own_file_stays(gemini: Emulator, path: str) -> None:
    with client() as service:
        name = service.upload(path)
        assert wait_by("in place", name).state == "success"
        assert service.perform(service.calls.get_file(name)).state == "ACTIVE"


def test_an_upload_that_cannot_be_deleted_fails_nothing(gemini: Emulator, path: str) -> None:
    gemini.faults.add("files.delete", Fault.error(400, "not now"))
    assert wait_by("in place", path).state == "success"
    assert len(inputs(gemini)) == 1
