"""The table of messages has what Google's SDK has, and what the SDK refuses to send is refused here too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from tests.referee.environments import referee_python
from tests.referee.mutants_of_sdk import NEITHER

Dump = dict[str, Any]

IN_REST = {
    "GenerateContentConfig": ("GenerationConfig", "GenerateContentRequest"),
    "EmbedContentConfig": ("EmbedContentConfig", "EmbedContentRequest"),
}
"""Where the fields of the SDK's configs stand in a request."""
RENAMED = {"modelSelectionConfig": "modelConfig", "generationOutputConfig": "outputConfig"}
OF_THE_SDK_ALONE = {
    "httpOptions",
    "shouldReturnHttpResponse",
    "automaticFunctionCalling",
    "automaticContinuation",
}
NOT_IN_THE_SDK = {
    "GenerateContentRequest.contents": "an argument of the SDK's call",
    "GenerateContentRequest.generationConfig": "the SDK's config has its fields side by side",
    "GenerateContentRequest.model": "an argument of the SDK's call",
    "EmbedContentRequest.content": "an argument of the SDK's call",
    "EmbedContentRequest.embedContentConfig": "the SDK's config itself",
    "EmbedContentRequest.model": "an argument of the SDK's call",
}
OTHER_KINDS = {
    "GenerateContentRequest.systemInstruction": "the SDK takes what it makes a Content of",
    "GenerateContentRequest.tools": "the SDK takes functions too",
    "GenerateContentRequest.serviceTier": "an enumeration in lower case, so it is sent as it is",
    "GenerationConfig.responseSchema": "the SDK takes types too",
    "GenerationConfig.speechConfig": "the SDK takes a voice's name too",
}
SENT_THOUGH_REFUSED = {
    r"Content\.parts: another kind \d": "a string, or strings in place of parts, is written as a part of text",
    r"GenerateContentConfig\.(automaticContinuation|shouldReturnHttpResponse): .*": "it is never sent",
}
"""Damaged requests that the SDK refuses and that are sent here, with the reason."""


REFUSED_THOUGH_SENT = {
    "parts.* is empty": "the service refuses a part without data",
    "unknown role 'x'": "the service refuses it",
    "cachedContent does not work in a batch on Vertex AI": "Google's page says so",
    "a batch on Vertex AI makes pictures of 1K alone": "Google's page says so",
    "vertexRagStore does not work in a batch on Vertex AI": "Google's page says so",
}
"""Why requests that the SDK sends are refused here, by the words that say it, with the reason."""


SCHEMAS = re.compile(r"Schema\b|FunctionDeclaration\.(parameters|response):")
"""Damaged requests about schemas, for which the services have rules that the SDK does not know."""


def run(major: int, target: Path, *options: str) -> Dump:
    script = Path(__file__).with_name("mutants_of_sdk.py")
    subprocess.run([referee_python(major), script, target, *options], check=True, capture_output=True)
    found: Dump = json.loads(target.read_text())
    assert found["version"].startswith(f"{major}.")
    return found


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return run(3, tmp_path_factory.mktemp("newest") / "dump.json")


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return run(2, tmp_path_factory.mktemp("oldest") / "dump.json", "messages")


def in_rest(messages: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the kinds of all fields by the names that the table has for them."""
    found: dict[str, str] = {}
    for message, fields in messages.items():
        for field, kind in fields.items():
            name = RENAMED.get(field, field) if message.endswith("Config") else field
            places = IN_REST.get(message, (message,))
            for place in places:
                if name in MESSAGES[place] or (
                    place == places[0] and not any(name in MESSAGES[p] for p in places)
                ):
                    found[f"{place}.{name}"] = kind
    return {name: kind for name, kind in found.items() if name.partition(".")[2] not in OF_THE_SDK_ALONE}


OURS = {f"{message}.{field}": kind for message, fields in MESSAGES.items() for field, kind in fields.items()}


def test_the_table_has_every_field_of_the_newest_and_the_oldest_sdk_and_no_other(
    newest: Dump, oldest: Dump
) -> None:
    theirs = {**in_rest(oldest["messages"]), **in_rest(newest["messages"])}
    assert {name for name in theirs if name not in OURS} == set()
    assert {name for name in OURS if name not in theirs} == set(NOT_IN_THE_SDK)
    assert set(MESSAGES) >= set(newest["messages"]) - set(IN_REST)


def test_every_field_has_the_kind_that_it_has_in_the_sdk(newest: Dump) -> None:
    theirs = in_rest(newest["messages"])
    differing = {name for name, kind in theirs.items() if kind != OURS[name]}
    assert differing == set(OTHER_KINDS)


def test_what_the_sdk_refuses_is_refused_but_for_written_reasons(newest: Dump) -> None:
    sent: set[str] = set()
    compared = 0
    for case in newest["verdicts"]:
        for backend in Backend:
            verdict = case[backend.value]
            if verdict is None or verdict == NEITHER:
                continue
            compared += 1
            if (error := refusal(case["wrong"], backend)) is None:
                sent.add(case["name"])
            else:
                assert error.remedy, case
    assert compared > 2000
    assert {name for name in sent if not any(re.fullmatch(one, name) for one in SENT_THOUGH_REFUSED)} == set()
    for one in SENT_THOUGH_REFUSED:
        assert any(re.fullmatch(one, name) for name in sent), f"{one} is no exception any more"


def test_what_the_sdk_sends_is_sent_but_for_written_reasons(newest: Dump) -> None:
    refused = {
        str(error)
        for case in newest["verdicts"]
        for backend in Backend
        if case[backend.value] != NEITHER
        and not SCHEMAS.match(case["name"])
        and (error := refusal(case["right"], backend))
    }
    assert {said for said in refused if not any(re.search(one, said) for one in REFUSED_THOUGH_SENT)} == set()
    for one in REFUSED_THOUGH_SENT:
        assert any(re.search(one, said) for said in refused), f"{one!r} is no exception any more"


def refusal(item: Any, backend: Backend) -> RequestError | None:
    try:
        rest_request(item, backend=backend, task=Task.GENERATE, model="gemini-2.5-flash")
    except RequestError as error:
        return error
    return None
