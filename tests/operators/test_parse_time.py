"""What of a task can be seen to be wrong when its DAG is parsed is said there, not at night."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, XComArg
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS
from pydantic import BaseModel

from airflow_provider_genai_batch.decorators.genai_batch import genai_batch_task
from airflow_provider_genai_batch.exceptions import ConfigurationError, GenAIBatchError
from airflow_provider_genai_batch.hooks.approval import check_asking
from airflow_provider_genai_batch.models import Pilot
from airflow_provider_genai_batch.operators.genai_batch import (
    GenAIBatchCancelOperator,
    GenAIBatchDeleteOperator,
    GenAIBatchOperator,
    GenAIBatchResultsOperator,
)
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.operators.import_cost import import_cost
from tests.operators.test_imports import HEAVY


class Endless(BaseModel):
    """A type that there are no words for."""

    inner: Endless | None = None


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a model of another tool": ({"model": "gemini/gemini-2.5-pro"}, "Write gemini-2.5-pro"),
    "a model without batch": ({"model": "mistral-large-2411"}, "Mistral"),
    "a model of Vertex AI without batch": ({"model": "publishers/google/models/gemma-3-27b-it"}, "Gemma"),
    "no model": ({"model": ""}, "model is empty"),
    "a src of no kind": ({"src": 5}, "src cannot be of type int"),
    "a prompt as src": ({"src": "What is it?"}, "A prompt goes into a list"),
    "an empty list": ({"src": []}, "src is empty"),
    "rows where requests are due": ({"src": "rows.csv"}, "give prompt"),
    "a prompt that is none": ({"src": [{"a": 1}], "prompt": "{a"}, "prompt"),
    "a results_uri that is no form": ({"results_uri": "x.csv"}, "results_uri"),
    "a results_uri without waiting": ({"results_uri": "x.jsonl", "wait": False}, "wait=False"),
    "config beside flat": ({"display_name": "a", "config": {"display_name": "b"}}, "given twice"),
    "a dest of no kind": ({"dest": "out/"}, "dest"),
    "an on_timeout that is none": ({"on_timeout": "explode"}, "on_timeout"),
    "max_failed_rows": ({"max_failed_rows": 1.5}, "max_failed_rows"),
    "retry_failed_rows": ({"retry_failed_rows": -1}, "retry_failed_rows"),
    "a timeout": ({"timeout": timedelta(0)}, "timeout"),
    "a word for yes": ({"reattach": "false"}, "reattach"),
    "an output_type that is none": ({"output_type": {"type": "object"}}, "output_type"),
    "an output_type without words": ({"output_type": Endless}, "Endless holds itself"),
    "an answer said twice": (
        {"output_type": int, "request_defaults": {"response_schema": {"type": "string"}}},
        "given twice",
    ),
    "a type of embeddings": (
        {"model": "gemini-embedding-001", "output_type": list[float]},
        "output_type: gemini-embedding-001 makes embeddings",
    ),
    "a type of embeddings that only the service asks for": (
        {"model": "text-embedding-005", "output_type": list[float], "src": "bq://p.d.t"},
        "output_type: text-embedding-005 makes embeddings",
    ),
    "a pilot of a model without immediate calls": (
        {"model": "claude-sonnet-4-6", "pilot": 2, "results_uri": "x.jsonl"},
        'Pilot(100, tier="batch")',
    ),
    "a field of requests to a model that one service runs": (
        {"model": "claude-sonnet-4-6", "request_defaults": {"thinking_config": {"thinking_budget": 9}}},
        "Claude has nothing like thinking_config",
    ),
    "a priority": ({"priority": "high"}, "priority is 'high'; give a whole number"),
    "a label": ({"labels": {"team": 1}}, "label 'team' has the value 1"),
    "labels that are none": ({"labels": "team"}, "give a dict of strings"),
    "a label of this package": ({"labels": {"genai_batch_dag": "x"}}, "one of this package's own"),
    "a template where none is rendered": (
        {"max_cost": "{{ params.most }}"},
        "max_cost is '{{ params.most }}'",
    ),
    "a template of a number of rounds": ({"retry_failed_rows": "{{ 2 }}"}, "give a whole number"),
    "a webhook": ({"webhook": 5}, "webhook is of type int: give an address"),
    "a field of every request": ({"request_defaults": {"temprature": 1}}, "temprature"),
}


def ask(**given: Any) -> GenAIBatchOperator:
    return GenAIBatchOperator(task_id="ask", **{"model": "gemini-2.5-flash", "src": ["a"], **given})


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_a_dag_file_is_said_when_it_is_parsed(case: str) -> None:
    given, said = WRONG[case]
    with pytest.raises(GenAIBatchError) as caught:
        ask(**given)
    assert said in str(caught.value)


def test_the_decorator_says_it_too() -> None:
    def requests() -> list[str]:
        return ["a"]

    with DAG("parsed", schedule=None), pytest.raises(GenAIBatchError, match="on_timeout"):
        genai_batch_task(requests, model="gemini-2.5-flash", on_timeout="explode")()


@pytest.mark.parametrize(
    ("operator", "given", "said"),
    [
        (GenAIBatchSensor, {"job_names": []}, "no job to act on"),
        (GenAIBatchSensor, {"job_names": "batches/a", "max_failed_rows": 1.5}, "max_failed_rows"),
        (GenAIBatchCancelOperator, {"job_names": 7}, "does not name a job"),
        (GenAIBatchDeleteOperator, {"job_names": {"some": "dict"}}, "not a manifest"),
        (GenAIBatchResultsOperator, {"job_names": "batches/a", "results_uri": "x.csv"}, "results_uri"),
        (
            GenAIBatchResultsOperator,
            {"job_names": "batches/a", "results_uri": "x.jsonl", "src": 5},
            "src cannot",
        ),
        (
            GenAIBatchResultsOperator,
            {"job_names": "batches/a", "results_uri": "x.jsonl", "output_type": "Review"},
            "output_type",
        ),
    ],
)
def test_tasks_on_jobs_that_exist_say_it_too(operator: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(GenAIBatchError) as caught:
        operator(task_id="act", **given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"model": "{{ params.model }}"},
        {"src": "{{ params.src }}"},
        {"src": ["gs://b/{{ ds }}/in.jsonl"]},
        {"src": {"gcs_uri": "gs://b/{{ ds }}.jsonl", "format": "{{ params.format }}"}},
        {"src": ["What does {{ mean?"]},
        {"src": lambda context, jinja_env: ["a"]},  # noqa: ARG005 - Airflow calls it so
        {"results_uri": "{{ params.out }}"},
        {"dest": "{{ params.dest }}"},
        {"config": {"display_name": "{{ ds }}"}, "display_name": "{{ params.name }}"},
        {"request_defaults": "{{ params.defaults }}"},
        {"request_defaults": {"system_instruction": "Today is {{ ds }}."}},
    ],
)
def test_templates_wait_until_they_are_rendered(given: dict[str, Any]) -> None:
    assert ask(**given)


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "src",
        "dest",
        "config",
        "request_defaults",
        "results_uri",
        "display_name",
        "labels",
        "webhook",
    ],
)
def test_what_another_task_returns_is_not_known_yet(name: str) -> None:
    with DAG("parsed", schedule=None):
        first = GenAIBatchOperator(task_id="first", model="gemini-2.5-flash", src=["a"])
        assert ask(**{name: XComArg(first)})
        assert GenAIBatchSensor(task_id="wait", job_names=XComArg(first))
        assert GenAIBatchSensor(task_id="more", job_names=[XComArg(first)])


def test_a_mapped_task_is_parsed_and_its_parts_that_are_given_once_stay_what_they_are() -> None:
    with DAG("parsed", schedule=None):
        mapped = GenAIBatchOperator.partial(task_id="ask", model="gemini-2.5-flash").expand(
            src=[["a"], ["b"]]
        )
    assert mapped.partial_kwargs["model"] == "gemini-2.5-flash"


def test_building_a_task_loads_nothing_heavy() -> None:
    _, loaded = import_cost("operators.genai_batch")
    assert not [name for name in loaded if name.startswith(HEAVY)]
    program = (
        "import sys\n"
        "from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator\n"
        "before = set(sys.modules)\n"
        "GenAIBatchOperator(task_id='ask', model='gemini-2.5-flash', src=['a'], results_uri='x.jsonl',\n"
        "    request_defaults={'temperature': 0}, output_type=list[int], max_failed_rows=0.1)\n"
        f"print([name for name in set(sys.modules) - before if name.startswith({HEAVY!r})])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("airflow", ["2.11.2", "3.0.6"])
def test_a_person_is_refused_where_airflow_cannot_ask_one(airflow: str) -> None:
    pilot = Pilot(10, approve_above=5)
    with pytest.raises(ConfigurationError, match=rf"came with 3\.1; this is {airflow}\. Leave it out"):
        check_asking(pilot, airflow)
    for later in ("3.1.0", "3.1.0rc1", "3.3.2", "4.0.0"):
        check_asking(pilot, later)
    check_asking(Pilot(10), airflow)
    how = {
        "task_id": "ask",
        "model": "gemini-2.5-flash",
        "src": ["a"],
        "results_uri": "a.jsonl",
        "pilot": pilot,
    }
    if AIRFLOW_V_3_1_PLUS:
        GenAIBatchOperator(**how)
    else:
        with pytest.raises(ConfigurationError, match=r"came with 3\.1"):
            GenAIBatchOperator(**how)
