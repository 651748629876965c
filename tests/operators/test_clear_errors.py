"""What cannot be meant is refused before anything is sent, with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, ManifestError
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchCancelOperator, GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import run_dag
from tests.operators.scenes import MODEL


@pytest.mark.parametrize(
    "src",
    [(text for text in ("a", "b")), iter(["a"]), map(str, [1])],
    ids=["generator", "list iterator", "map"],
)
def test_an_iterator_in_a_dag_file_is_refused_when_it_is_parsed(src: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"version of the DAG.*a list.*@task\.genai_batch"):
        GenAIBatchOperator(task_id="ask", model=MODEL, src=src)


def test_a_function_that_makes_requests_is_taken(gemini: Emulator) -> None:
    def made(context: Any, jinja_env: Any) -> Any:
        yield from ("a", "b")

    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=made, poll_interval=0.05))
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 2


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a list rendered to text": ({"src": "{{ ['a', 'b'] }}"}, "a template has rendered.*native_obj"),
    "a dict rendered to text": ({"src": "{{ {'gcs_uri': 'x'} }}"}, "a template has rendered"),
    "nothing": ({"src": None}, "NoneType.*upstream"),
    "None as text": ({"src": "{{ none }}"}, "src 'None' is not a source"),
    "a label's name": ({"labels": {"Team": "red"}}, "label 'Team' has a name.*lowercase"),
    "a label's long name": ({"labels": {"t" * 64: "red"}}, "has a name that is not valid"),
    "a label's first character": ({"labels": {"1st": "red"}}, "and a letter first"),
    "a label's value": ({"labels": {"team": "red team"}}, "label 'team' has the value 'red team'"),
    "a label's number": ({"labels": {"team": 5}}, "label 'team' has the value 5"),
    "a label of ours": ({"labels": {"genai_batch_key": "k"}}, "this package's own"),
    "too many labels": ({"labels": {f"l{n}": "v" for n in range(59)}}, "room for 58"),
    "a list of labels": ({"labels": ["team"]}, "labels is of type list"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_cannot_be_meant_is_refused(gemini: Emulator, name: str) -> None:
    settings, said = SETTINGS[name]
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", **{"model": MODEL, "src": ["a"], **settings}))
    (error,) = ran.errors
    assert isinstance(error, InputError)
    assert re.search(said, str(error)), error
    assert gemini.requests == []


def test_labels_that_the_service_takes_are_taken(vertex: Emulator) -> None:
    labels = {"team": "red-1_x", "l" * 63: "v" * 63, "empty": ""}
    dest = "gs://emulator-staging/labels/"
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=["a"], labels=labels, dest=dest, poll_interval=0.05
        )
    )
    assert ran.state == "success", ran.errors


@pytest.mark.parametrize(
    "use",
    [
        lambda: GenAIBatchSensor(task_id="use", job_names=None),
        lambda: GenAIBatchSensor(task_id="use", job_names=None, deferrable=True),
        lambda: GenAIBatchSensor(task_id="use", job_names="{{ ti.xcom_pull('nobody') }}", deferrable=False),
        lambda: GenAIBatchCancelOperator(task_id="use", job_names=[None]),
    ],
    ids=["sensor", "deferred sensor", "rendered", "in a list"],
)
def test_none_instead_of_a_manifest_is_said_to_be_that(gemini: Emulator, use: Callable[[], Any]) -> None:
    (error,) = run_dag(use).errors
    assert isinstance(error, ManifestError)
    assert "None instead of a manifest" in str(error)


def test_rows_of_none_are_refused_likewise(gemini: Emulator) -> None:
    with pytest.raises(ManifestError, match="None instead of a manifest"):
        list(read_rows(None))
