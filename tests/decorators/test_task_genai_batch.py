"""A function's requests, asked as one job: in place, deferred, mapped, retried."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, task

from airflow_provider_genai_batch.decorators import genai_batch as genai_batch_module
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, TooManyFailedRows
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.models import BatchJob, BatchRequest
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit, die_after_submit
from tests.operators.scenes import MODEL, PROMPTS, client, lines

WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the looking for jobs that lists may not show yet."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01,))


class Asker:
    """Yields requests, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Iterator[dict[str, Any]]:
        self.calls += 1
        number = self.calls
        for key, text in PROMPTS.items():
            yield {"key": key, "contents": text}
        self.after(number)

    def after(self, number: int) -> None:
        """Do what a test wants at the end of a call."""


def genai_batch(**settings: Any) -> Any:
    return task.genai_batch(**{"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings})


def ask(function: Callable[..., Any], *args: Any, **settings: Any) -> Ran:
    return run_dag(lambda: genai_batch(task_id="ask", **settings)(function)(*args))


def ask_by(asker: Asker, **settings: Any) -> Ran:
    def requests() -> Any:
        return asker()

    return ask(requests, **settings)


def landed(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@WAYS
def test_a_list_is_asked_and_the_manifest_is_the_output(gemini: Emulator, deferrable: bool) -> None:
    def reviews() -> list[Any]:
        return ["I like it.", {"key": "bad", "contents": "It broke."}, BatchRequest(contents="Hm.")]

    ran = ask(reviews, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3
    assert ran.xcom["ask"]["job_names"] == [job["name"] for job in gemini.jobs]


@WAYS
def test_a_generator_is_run_once_and_its_rows_land(
    gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    asker, out = Asker(), tmp_path / "rows.jsonl"
    ran = ask_by(asker, results_uri=str(out), deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert {row["key"] for row in landed(out)} == {*PROMPTS}
    assert asker.calls == 1


def test_a_generator_is_never_held_in_memory(gemini: Emulator) -> None:
    class Request(dict[str, Any]):
        alive = most = 0

        def __init__(self, *args: Any, **fields: Any) -> None:
            super().__init__(*args, **fields)
            Request.alive += 1
            Request.most = max(Request.most, Request.alive)

        def __del__(self) -> None:
            Request.alive -= 1

    def many() -> Iterator[Request]:
        for number in range(3000):
            yield Request(contents=f"Name the number {number}.")

    ran = ask(many)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3000
    assert ran.xcom["ask"]["source"].startswith("files/")
    assert Request.most < 100


def test_arguments_are_templates_and_what_comes_of_them_is_none(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "{{ params.name }}.jsonl"

    @task
    def found() -> str:
        return "found {{ ds }}"

    @genai_batch(task_id="ask", results_uri=str(out), params={"name": "rows"})
    def asked(given: str, upstream: str, params: Any = None) -> list[str]:
        return [given, upstream, "made {{ ds }}", f"context {params['name']}"]

    ran = run_dag(lambda: asked("given {{ params.name }}", found()))
    assert ran.state == "success", ran.errors
    assert {row["text"] for row in landed(tmp_path / "rows.jsonl")} == {
        "Answer to: given rows",
        "Answer to: found {{ ds }}",
        "Answer to: made {{ ds }}",
        "Answer to: context rows",
    }


@pytest.mark.parametrize("kind", [str, Path])
def test_one_source_may_be_returned_instead(
    gemini: Emulator, tmp_path: Path, kind: Callable[[Path], Any]
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines())
    ran = ask(lambda: kind(tmp_path / "in.jsonl"))
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == len(PROMPTS)


@WAYS
def test_rows_with_a_prompt_keep_their_columns(gemini: Emulator, tmp_path: Path, deferrable: bool) -> None:
    out, calls = tmp_path / "rows.jsonl", []

    def cities() -> Iterator[dict[str, Any]]:
        calls.append(1)
        yield from ({"city": name, "id": number} for number, name in enumerate(("Rome", "Oslo")))

    ran = ask(cities, prompt="Where is {city}?", results_uri=str(out), deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert {row["input"]["city"]: row["text"] for row in landed(out)} == {
        "Rome": "Answer to: Where is Rome?",
        "Oslo": "Answer to: Where is Oslo?",
    }
    assert len(calls) == (2 if deferrable else 1)  # the columns are nowhere else


@WAYS
def test_mapped_tasks_ask_a_job_each(gemini: Emulator, tmp_path: Path, deferrable: bool) -> None:
    totals: list[int] = []

    @genai_batch(task_id="ask", deferrable=deferrable, results_uri=str(tmp_path / "{{ ti.map_index }}.jsonl"))
    def asked(language: str, texts: list[str]) -> Iterator[str]:
        yield from (f"{language}: {text}" for text in texts)

    @task
    def total(manifests: Any) -> None:
        totals.extend(manifest["counts"]["ok"] for manifest in manifests)

    @task
    def languages() -> list[str]:
        return ["en {{ ds }}", "de"]

    ran = run_dag(lambda: total(asked.partial(texts=["One", "Two"]).expand(language=languages())))
    assert ran.state == "success", ran.errors
    assert totals == [2, 2]
    assert len({job["display_name"] for job in gemini.jobs}) == 2
    assert {row["text"] for row in landed(tmp_path / "0.jsonl")} >= {"Answer to: en {{ ds }}: One"}
    assert {row["text"] for row in landed(tmp_path / "1.jsonl")} >= {"Answer to: de: One"}


def test_override_sets_the_operators_parameters(gemini: Emulator) -> None:
    @genai_batch(task_id="ask")
    def asked() -> list[str]:
        return ["Hi"]

    ran = run_dag(
        lambda: (asked(), asked.override(task_id="other", model="gemini-2.5-pro", display_name="by name")())
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["model"].endswith(MODEL)
    assert ran.xcom["other"]["model"].endswith("gemini-2.5-pro")
    assert ran.xcom["other"]["display_name"].startswith("by name")


@WAYS
def test_the_output_is_the_manifest_whatever_the_function_says_it_returns(
    gemini: Emulator, deferrable: bool
) -> None:
    def asked() -> dict[str, Any]:
        return {"inlined_requests": ["Hi"]}

    def reported(counts: dict[str, int]) -> int:
        return counts["ok"]

    ran = run_dag(
        lambda: task(reported)(
            genai_batch(task_id="ask", multiple_outputs=True, deferrable=deferrable)(asked)()["counts"]
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["reported"] == 1
    ran = ask(asked, deferrable=deferrable)
    assert ran.xcom["ask"]["counts"]["ok"] == 1


@WAYS
def test_a_retry_calls_the_function_again_and_pays_no_second_job(
    gemini: Emulator, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Asker()
    die_after_submit(monkeypatch)
    ran = ask_by(asker, retries=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 2
    assert (asker.calls, len(gemini.jobs)) == (2, 1)


def test_a_retry_that_asks_something_else_submits_a_job_of_its_own(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def changing() -> list[str]:
        calls.append(1)
        return [f"Call {len(calls)}"]

    die_after_submit(monkeypatch)
    ran = ask(changing, retries=1)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 2
    assert ran.xcom["ask"]["job_names"] == [gemini.jobs[-1]["name"]]


@WAYS
def test_failed_rows_are_asked_again_of_what_the_function_yields(gemini: Emulator, deferrable: bool) -> None:
    asker = Asker()
    gemini.script(JobScript(row_errors={"alpha": 13}))
    ran = ask_by(asker, retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert [job["rows"]["total"] for job in gemini.jobs] == [len(PROMPTS), 1]
    assert asker.calls == (2 if deferrable else 1)


class Breaks(Asker):
    """Fails at the end of the second call."""

    def after(self, number: int) -> None:
        if number == 2:
            msg = "the database is gone"
            raise OSError(msg)


def test_a_function_that_fails_later_costs_the_keys_of_missing_rows_and_no_other(
    gemini: Emulator, tmp_path: Path
) -> None:
    asker, out = Breaks(), tmp_path / "rows.jsonl"
    gemini.script(JobScript(missing=["alpha"]))
    ran = ask_by(asker, results_uri=str(out), max_failed_rows=1, deferrable=True)
    assert ran.state == "success", ran.errors
    assert asker.calls == 2
    assert {(row["key"], row["status"]) for row in landed(out)} == {
        (None, "missing"),
        ("0042", "ok"),
        ("gamma", "ok"),
    }


def test_a_function_that_fails_when_rows_are_to_be_asked_again_is_told_with_its_own_error(
    gemini: Emulator,
) -> None:
    gemini.script(JobScript(row_errors={"alpha": 13}))
    ran = ask_by(Breaks(), retry_failed_rows=1, deferrable=True)
    assert ran.state == "failed"
    (error,) = ran.errors
    assert isinstance(error, InputError)
    assert "OSError: the database is gone" in str(error)
    assert len(gemini.jobs) == 1


def test_a_function_that_changes_its_mind_is_not_asked_for_failed_rows(gemini: Emulator) -> None:
    calls: list[int] = []

    def changing() -> list[Any]:
        calls.append(1)
        return [{"key": "a", "contents": f"Call {len(calls)}"}]

    gemini.script(JobScript(row_errors={"a": 13}))
    ran = ask(changing, retry_failed_rows=1, deferrable=True)
    assert [type(error) for error in ran.errors] == [TooManyFailedRows]
    assert (len(calls), len(gemini.jobs)) == (2, 1)


@pytest.mark.parametrize("full", [False, True], ids=["more than go on at a time", "no capacity"])
def test_a_function_that_changes_its_mind_among_several_jobs_does_not_ask_all_of_them_anew(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    calls: list[int] = []

    def changing() -> Iterator[str]:
        calls.append(1)
        yield f"Call {len(calls)}"
        yield "Another"

    def fill(_: BatchJob) -> None:
        gemini.faults.add("batches.create", Fault.error(429, grpc="RESOURCE_EXHAUSTED", retry_after=0))

    if full:
        after_submit(monkeypatch, fill)
    ran = ask(changing, deferrable=True, max_requests_per_job=1, max_active_jobs=5 if full else 1)
    (error,) = ran.errors
    assert isinstance(error, InputError)
    assert "has changed" in str(error)
    assert (len(calls), len(gemini.jobs)) == (2, 1)


def test_a_function_can_skip_its_task(gemini: Emulator) -> None:
    def nothing_today() -> list[str]:
        raise AirflowSkipException

    ran = ask(nothing_today)
    assert ran.states["ask"] == "skipped"
    assert gemini.jobs == []


async def _coroutine() -> list[str]:
    return ["Hi"]


async def _async_generator() -> Any:
    yield "Hi"


def _nothing() -> None:
    pass


def _empty() -> Iterator[str]:
    yield from ()


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "nothing": (_nothing, InputError, "_nothing returned nothing"),
    "no requests": (_empty, InputError, "empty"),
    "a prompt": (lambda: "Name a river.", InputError, "A prompt goes into a list"),
    "a number": (lambda: 5, InputError, "int"),
    "a coroutine": (_coroutine, ConfigurationError, "async"),
    "an async generator": (_async_generator, ConfigurationError, "async"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused_before_it_is_sent(gemini: Emulator, case: str) -> None:
    function, kind, words = REFUSED[case]
    ran = ask(function)
    (error,) = ran.errors
    assert type(error) is kind
    assert words in str(error)
    assert gemini.jobs == []


def test_an_object_that_vertex_reads_by_itself_can_be_returned(vertex: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines().replace(b"0042", b"beta"))
    uri = f"gs://emulator-staging/{tmp_path.name}/in.jsonl"
    with client() as service:
        service.upload(tmp_path / "in.jsonl", uri)
    ran = ask(lambda: uri, dest=f"gs://emulator-staging/{tmp_path.name}/out/")
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["source"] == uri


def test_the_stub_says_what_the_operator_takes() -> None:
    stub = ast.parse((Path(genai_batch_module.__file__).parent / "genai_batch.pyi").read_text())
    first = next(node for node in stub.body if isinstance(node, ast.FunctionDef))
    said = {
        argument.arg: ast.literal_eval(default) if default else inspect.Parameter.empty
        for argument, default in zip(first.args.kwonlyargs, first.args.kw_defaults, strict=True)
    }
    del said["multiple_outputs"]
    assert said == {
        name: parameter.default
        for name, parameter in inspect.signature(
            inspect.unwrap(GenAIBatchOperator.__init__)
        ).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "src"
    }
