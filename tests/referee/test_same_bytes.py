"""What this package sends equals what Google's own SDK sends for the same call, but for a short list."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.model.refused.fields import check
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.wire.keys import stamp
from tests.emulator.talk import Gemini, Vertex
from tests.referee.cases import Case
from tests.referee.environments import referee_python
from tests.referee.normal import normal

pytest.importorskip("google.genai", reason="cases are built from its types")

from tests.referee.ours import KINDS

Spell = Callable[[Case], tuple[str, Any]]
Sent = dict[str, dict[str, Any]]

SAME = [
    pytest.param(kind, case, spell, id=f"{kind}: {case.name}")
    for kind, (spell, several, _) in KINDS.items()
    for case in several
]
REFUSED = [
    pytest.param(kind, case, spell, id=f"{kind}: {case.name}")
    for kind, (spell, _, several) in KINDS.items()
    for case in several
]


@pytest.fixture(scope="module", params=[3, 2], ids=["genai-3", "genai-2"])
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    target = tmp_path_factory.mktemp("sent") / "sent.json"
    script = Path(__file__).with_name("capture.py")
    subprocess.run([referee_python(request.param), script, target], check=True, capture_output=True)
    dumped = json.loads(target.read_text())
    assert dumped["version"].startswith(f"{request.param}.")
    found: Sent = dumped["sent"]
    return found


@pytest.mark.parametrize(("kind", "case", "spell"), SAME)
def test_the_same_call_is_the_same_bytes(sent: Sent, kind: str, case: Case, spell: Spell) -> None:
    theirs = sent[f"{kind}: {case.name}"]
    assert "error" not in theirs
    path, body = spell(case)

    assert normal(as_the_sdk_would(body)) == normal(as_we_would(theirs["body"]))
    assert re.sub(r"^/v\w+", "", theirs["path"]).endswith(path)


@pytest.mark.parametrize(("kind", "case", "spell"), REFUSED)
def test_what_the_sdk_refuses_is_refused(sent: Sent, kind: str, case: Case, spell: Spell) -> None:
    assert "error" in sent[f"{kind}: {case.name}"]

    with pytest.raises(InputError):
        spell(case)


def test_the_emulator_of_gemini_takes_every_one_of_these_bodies(sent: Sent) -> None:
    with Emulator() as emulator, Gemini(emulator.url) as api:
        found = {}
        for kind, case, spell in (param.values for param in SAME):
            if not str(kind).startswith("gemini"):
                continue
            theirs = sent[f"{kind}: {case.name}"]
            for body in (theirs["body"], spell(case)[1]):
                path = theirs["path"].replace(_FLASH, _able(body))
                found[f"{kind}: {case.name}"] = _taken_by_gemini(api, path, body)
        assert {name: said for name, said in found.items() if said} == {}
        assert len(emulator.jobs) > 2 * 70


_FLASH = "gemini-2.5-flash"


def _able(body: Any) -> str:
    """Return a model that can do what a body asks for."""
    asked = json.dumps(body)
    if '"AUDIO"' in asked:
        return f"{_FLASH}-preview-tts"
    return f"{_FLASH}-image" if '"IMAGE"' in asked else _FLASH


def _taken_by_gemini(api: Gemini, path: str, body: Any) -> str:
    """Have a body made a job and its rows answered; return what is wrong, nothing if all is well."""
    source = body["batch"]["inputConfig"]
    for name in {"fileName", "file_name"} & set(source):
        line = (
            {"content": {"parts": [{"text": "x"}]}}
            if "Embed" in path
            else {"contents": [{"parts": [{"text": "x"}]}]}
        )
        source[name] = api.upload(json.dumps({"key": "a", "request": line}).encode())
    reply = api.http.post(path, json=body)
    if reply.status_code != 200:
        return reply.text
    stats = api.ended(reply.json()["name"])["metadata"]["batchStats"]
    rows = api.get(reply.json()["name"])["metadata"]["output"]
    return "" if stats["requestCount"] == stats.get("successfulRequestCount") else json.dumps(rows)


def test_the_emulator_of_vertex_takes_every_one_of_these_bodies(
    sent: Sent, cloud_storage: CloudStorage, emulator_of_vertex: Vertex
) -> None:
    found = {}
    for at, (kind, case, spell) in enumerate(param.values for param in SAME):
        if kind not in {"vertex request", "vertex embedding"}:
            continue
        for way, body in (("theirs", sent[f"{kind}: {case.name}"]["body"]), ("ours", spell(case)[1])):
            message = "EmbedContentRequest" if kind == "vertex embedding" else "GenerateContentRequest"
            place = f"gs://emulator-staging/bodies/{at}/{way}"
            cloud_storage.write(f"{place}.jsonl", [json.dumps({"request": body}).encode()])
            model = "gemini-embedding-2" if message.startswith("Embed") else _able(body)
            ended = emulator_of_vertex.run(f"{place}.jsonl", place, model=model)
            # What its importer cannot load was never meant for it: the SDK sends these to generateContent.
            imported = ended.get("error", {}).get("code") != 3
            good = not imported or ended["completionStats"] == {"successfulCount": "1"}
            if check("vertex", message, body) or not good:
                found[f"{kind}: {case.name}, {way}"] = ended
    assert found == {}


@pytest.fixture(scope="module")
def emulator_of_vertex(cloud_storage: CloudStorage) -> Iterator[Vertex]:
    with Emulator(storage=cloud_storage) as emulator, Vertex(emulator.url) as jobs:
        yield jobs


def test_there_are_enough_cases() -> None:
    assert len(SAME) >= 60


def as_the_sdk_would(body: Any) -> Any:
    """Take out of our body what we mean to add.

    * A key for every row: the SDK leaves that to its users, and rows cannot be joined without.
    * ``instancesFormat`` of a source dict: the SDK sends it only when the user repeats it; the service needs
    it.
    """
    for index, entry in enumerate(_entries(body)):
        if entry["metadata"] == {"key": stamp(index)}:
            del entry["metadata"]
    if "inputConfig" in body:
        body["inputConfig"].pop("instancesFormat")
    return body


def as_we_would(body: Any) -> Any:
    """Take out of the SDK's body what we mean to leave out.

    * The job's own model, repeated in a row: a job has one model.
    * An empty ``generationConfig``: says nothing, and Vertex AI's importer does not take empty objects.
    * ``title: Placeholder``: the name of a helper class inside the SDK, when the schema is a Python type.
    * Lower-case types inside ``additionalProperties``, which the SDK does not reach: the service's enum is
    upper case. * ``instancesFormat``, as above.
    """
    for entry in _entries(body):
        entry["request"].pop("model", None)
    for request in [body, *(entry["request"] for entry in _entries(body))]:
        if request.get("generationConfig") == {}:
            del request["generationConfig"]
        schema = request.get("generationConfig", {}).get("responseSchema", {})
        if schema.get("title") == "Placeholder":
            del schema["title"]
        if "additional_properties" in schema:
            schema["additional_properties"]["type"] = schema["additional_properties"]["type"].upper()
    if "inputConfig" in body:
        body["inputConfig"].pop("instancesFormat", None)
    return body


def _entries(body: Any) -> list[dict[str, Any]]:
    batch = body.get("batch", {}).get("inputConfig", {})
    entries: list[dict[str, Any]] = batch.get("requests", {}).get("requests", [])
    return entries
