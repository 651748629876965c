"""The commands, in processes of their own: Airflow's and Python's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.__main__ import main
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.task.port import Owner
from tests.operators.scenes import MODEL, client, lines
from tests.task.plain_task import PlainTask, attempt

PYTHON = [sys.executable, "-m", "airflow_provider_genai_batch"]
AIRFLOW = [str(Path(sys.executable).with_name("airflow")), "genai-batch"]


def call(command: list[str], *args: str, status: int = 0) -> str:
    done = subprocess.run([*command, *args], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def submit(emulator: Emulator, script: JobScript | None = None) -> str:
    with redirect_stdout(sys.stderr), client() as service:  # Airflow 3.1 logs there what is not a command's
        if script:
            emulator.script(script)
        return service.create(MODEL, ["a", "b", "c"], display_name="nightly").name


def ended(emulator: Emulator) -> str:
    name = submit(emulator, JobScript(row_errors={"#1": 13}))
    with redirect_stdout(sys.stderr), client() as service:
        while not service.get(name).done:
            pass
    return name


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command tells Airflow about its process is forgotten."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")


def test_jobs_are_listed_as_airflow_lists_things(
    gemini: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [submit(gemini) for _ in range(3)]
    main(["list", "--limit", "2", "--output", "json"])
    told = json.loads(capsys.readouterr().out)
    assert [job["name"] for job in told] == names[:0:-1]
    assert {job["display_name"] for job in told} == {"nightly"}
    assert {job["requests"] for job in told} == {3}
    main(["list", "--since", told[-1]["created"], "--output", "json"])
    assert len(json.loads(capsys.readouterr().out)) >= 2
    assert all(datetime.fromisoformat(job["created"].replace("Z", "+00:00")).tzinfo for job in told)
    main(["list"])
    table = capsys.readouterr().out
    assert all(name in table for name in names)


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_jobs_are_chosen_by_state_name_and_time_on_both_services(
    backend: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator: Emulator = request.getfixturevalue(backend)
    with redirect_stdout(sys.stderr), client() as service:
        source, how = ["a"], {}
        if backend == "vertex":
            emulator.storage.write("gs://emulator-staging/in.jsonl", [lines()])
            source, how = "gs://emulator-staging/in.jsonl", {"dest": "gs://emulator-staging/out/"}

        def make(display_name: str, lifecycle: Lifecycle) -> str:
            emulator.script(JobScript(lifecycle=lifecycle))
            return service.create(MODEL, source, display_name=display_name, **how).name

        old = make("nightly reviews", Lifecycle.at_once())
        service.get(old)
        emulator.clock.advance(3 * 86400)
        new = make("nightly reviews", Lifecycle.stuck("RUNNING"))
        other = make("other", Lifecycle.stuck("RUNNING"))
        service.get(new), service.get(other)
        between = emulator.clock.now() - timedelta(hours=36)

    def told(*args: str) -> list[str]:
        main(["list", *args, "--output", "json"])
        return [job["name"] for job in json.loads(capsys.readouterr().out)]

    assert told() == [other, new, old]
    assert told("--name", "nightly") == [new, old]
    assert told("--name", "nightly", "--limit", "1") == [new]
    assert told("--state", "succeeded") == [old]
    assert told("--state", "RUNNING", "--state", "SUCCEEDED") == [other, new, old]
    assert told("--since", between.isoformat()) == [other, new]
    assert told("--until", f"{between:%Y-%m-%dT%H:%M}") == [old]  # without a zone it is UTC
    assert told("--since", "2d") == [other, new, old]
    with pytest.raises(SystemExit) as caught:
        main(["list", "--since", "yesterday"])
    assert caught.value.code == 2
    assert "yesterday is not a time: write" in capsys.readouterr().err


def test_tables_have_no_spelling_of_python_in_them(
    gemini: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    name = ended(gemini)
    main(["show", name, "--output", "plain"])
    shown = capsys.readouterr().out
    assert "counts.total" in shown
    main(["rows", name, "--output", "table"])
    rows = capsys.readouterr().out
    assert "13 INTERNAL" in rows
    assert not any(mark in shown + rows for mark in ("{", "': ", "None"))


def test_tables_show_names_and_answers_as_they_are(
    gemini: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["[/b] [red]one[/red]", "labels [a, b] :smile:"]
    gemini.script(JobScript(lifecycle=Lifecycle.at_once(), answers=dict(enumerate(texts))))
    with redirect_stdout(sys.stderr), client() as service:
        name = service.create(MODEL, ["a", "b"], display_name="[nightly] [/b]").name
    main(["list"])
    main(["show", name])
    assert capsys.readouterr().out.count("[nightly] [/b]") == 2
    main(["rows", name, "--output", "table"])
    rows = capsys.readouterr().out
    assert all(text in rows for text in texts)


def test_another_program_reads_nothing_but_the_answer(gemini: Emulator) -> None:
    name = submit(gemini)
    (job,) = json.loads(call(PYTHON, "list", "--output", "json"))
    assert job["name"] == name


def test_what_is_logged_meanwhile_is_no_part_of_an_answer(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    (plan,) = json.loads(call(PYTHON, "estimate", str(file), "--dedupe", "--output", "json"))
    assert plan["requests"] == 3


def test_airflow_has_the_commands_and_finds_connections_of_its_database(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = submit(gemini)
    fields = gemini.connection("gemini")
    monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT")
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT")
    airflow = AIRFLOW[:1]
    call(airflow, "db", "migrate")
    call(
        airflow, "connections", "add", "other", "--conn-type", "genai_batch",
        "--conn-host", fields["host"], "--conn-password", fields["password"],
    )  # fmt: skip
    try:
        assert name in call(AIRFLOW, "list", "--conn-id", "other", "--output", "plain")
    finally:
        call(airflow, "connections", "delete", "other")


def test_a_connection_that_is_not_there_is_named(gemini: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    said = call(PYTHON, "list", "--conn-id", "another", status=1)
    assert "another" in said.splitlines()[-1]


def test_a_job_is_shown(gemini: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    name = submit(gemini)
    main(["show", name, "--output", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert told["name"] == name
    assert told["counts"]["total"] == 3
    main(["show", name])
    assert "display_name" in capsys.readouterr().out


def test_a_job_is_cancelled_once(gemini: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    name = submit(gemini, JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    main(["cancel", name])
    assert capsys.readouterr().out == f"{name} was asked to be cancelled.\n"
    assert gemini.jobs[0]["cancel_requested"]
    main(["cancel", ended(gemini)])
    assert "nothing to cancel" in capsys.readouterr().out
    main(["cancel", name, "--output", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert told["name"] == name
    assert "cancelled" in told["answer"]


def test_a_limit_below_nothing_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["list"], ["rows", "batches/a"]):
        with pytest.raises(SystemExit) as caught:
            main([*command, "--limit", "-1"])
        assert caught.value.code == 2
        assert "-1 is not a whole number of 0 or more" in capsys.readouterr().err


def test_a_job_that_goes_on_has_no_rows_to_print(
    gemini: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    name = submit(gemini, JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    with pytest.raises(SystemExit, match=f"{name} has not ended: it is RUNNING"):
        main(["rows", name])
    assert capsys.readouterr().out == ""


def test_a_job_that_ended_without_rows_says_why(gemini: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    name = submit(
        gemini,
        JobScript(lifecycle=Lifecycle.at_once(), end="FAILED", error={"code": 8, "message": "too many"}),
    )
    main(["rows", name, "--output", "json"])
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{name} ended as FAILED and has no rows (code 8: too many)" in told.err


def test_rows_are_lines_of_json_for_other_programs(
    gemini: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    name = ended(gemini)
    main(["rows", name])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row["status"] for row in rows) == ["error", "ok", "ok"]
    main(["rows", name, "--status", "error"])
    (bad,) = capsys.readouterr().out.splitlines()
    assert json.loads(bad)["error"]["code"] == 13
    main(["rows", name, "--limit", "1", "--output", "table"])
    assert "status" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["list", "show", "rows"])
def test_a_reader_that_has_seen_enough_is_no_trouble(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    name = ended(gemini)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        with pytest.raises(SystemExit) as caught:
            main([command] if command == "list" else [command, name])
    assert caught.value.code == 1


def test_a_file_is_checked_without_a_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", raising=False)
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    main(["check", str(file), "--backend", "gemini", "--output", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["requests"], told["sent"]) == (3, "as it is")
    file.write_bytes(lines() + b'{"key": "alpha", "request": {}}\n')
    with pytest.raises(SystemExit, match="line 4"):
        main(["check", str(file), "--backend", "gemini"])


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_a_table_is_checked_with_its_prompt_without_a_connection(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", raising=False)
    file = tmp_path / "in.csv"
    file.write_text("id,text\n1,I like it.\n2,It broke.\n")
    check = ["check", str(file), "--backend", backend, "--output", "json", "--prompt"]
    main([*check, "Classify: {text}"])
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["requests"], told["keys to be added"], told["sent"]) == (2, 2, "a request a row, with text")
    with pytest.raises(SystemExit, match=r"row 1 of .*in\.csv.*stars"):
        main([*check, "{stars}"])


def test_a_file_for_several_jobs_is_right_as_it_is_to_the_operator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'{"content":"x"}\n' * 30_001)  # a job of this model takes 30,000
    main(["check", str(file), "--backend", "vertex", "--model", "text-embedding-005", "--output", "json"])
    assert json.loads(capsys.readouterr().out)[0]["requests"] == 30_001


def test_a_file_is_checked_for_the_service_of_the_connection(
    gemini: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    main(["check", str(file)])
    assert "gemini" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["text-embedding-005", "claude-sonnet-4-5", "gemini-3-pro-preview"])
def test_without_a_connection_no_location_is_in_the_way_of_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,text\n1,I like it.\n")
    main(["check", str(file), "--backend", "vertex", "--model", model, "--prompt", "{text}", "-o", "json"])
    assert json.loads(capsys.readouterr().out)[0]["requests"] == 1


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("/data/in.csv", "is a table, not requests: give prompt"),
        ("gs://bucket/in.jsonl", "The Gemini Developer API cannot read gs://bucket/in.jsonl"),
        ("bq://project.dataset.table", "The Gemini Developer API cannot read bq://project.dataset.table"),
        ("files/abc", "Only the service reads files/abc"),
        ("https://somewhere/in.jsonl", "which is not supported"),
    ],
)
def test_what_the_operator_refuses_to_read_is_refused_by_the_check(
    gemini: Emulator, file: str, words: str
) -> None:
    with pytest.raises(SystemExit, match=words):
        main(["check", file])


def test_a_service_that_is_not_the_one_of_the_connection_is_refused(gemini: Emulator) -> None:
    with pytest.raises(
        SystemExit, match="genai_batch_default, whose service is gemini: give another --conn-id"
    ):
        main(["check", "gs://bucket/in.jsonl", "--backend", "vertex"])


@pytest.mark.parametrize("name", ["..x:Y", "x", "json:Missing", ":Y"])
def test_a_type_that_cannot_be_imported_is_named(gemini: Emulator, tmp_path: Path, name: str) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    with pytest.raises(
        SystemExit, match=rf"--output-type {name} cannot be imported .*Give it as module:Name"
    ):
        main(["estimate", str(file), "--output-type", name])


def test_trouble_is_one_line_and_a_status(gemini: Emulator) -> None:
    said = call(PYTHON, "show", "batches/nobody", status=1)
    assert said.splitlines()[-1].startswith("NotFound: ")
    assert "Traceback" not in said
    assert "emulator-key" not in said


def test_the_commands_are_loaded_when_one_is_called() -> None:
    code = (
        "import sys\nfrom airflow_provider_genai_batch.cli.definition import get_genai_batch_cli_commands\n"
        "get_genai_batch_cli_commands()\nsys.exit('airflow_provider_genai_batch.client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_is_priced_with_what_the_operator_would_ask(
    gemini: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, module = tmp_path / "in.csv", tmp_path / "kinds_of_answers.py"
    table.write_text("text\n" + "abcd\n" * 30)
    module.write_text("import pydantic\n\n\nclass Answer(pydantic.BaseModel):\n    good: bool\n")
    monkeypatch.chdir(tmp_path)
    asked = ["estimate", str(table), "--prompt", "{text}", "--request-defaults", '{"max_output_tokens": 8}']
    main([*asked, "--output", "json"])
    (plan,) = json.loads(capsys.readouterr().out)
    assert (plan["requests"], plan["jobs"], plan["counted"], plan["output_tokens"]) == (30, 1, 20, 240)
    assert set(plan["cost"]) == {"batch", "flex", "standard"}
    main([*asked, "--output-type", "kinds_of_answers:Answer"])
    shown = capsys.readouterr().out
    said = (
        "input tokens",
        "cost as standard",
        "up to 240",
        "29, which --dedupe would leave out",
        "not known: too few",
    )
    assert all(word in shown for word in said)
    for wrong in (["--output-type", "kinds_of_answers:Other"], ["--request-defaults", "[1]"]):
        with pytest.raises(SystemExit, match=wrong[0]):
            main([*asked, *wrong])
    assert not gemini.jobs


def test_one_request_is_one_and_jobs_that_cannot_be_listed_are_not_few(
    gemini: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gemini.faults.add("batches.list", Fault.error(403))
    file = tmp_path / "in.csv"
    file.write_text("text\nabcd\n")
    main(["estimate", str(file), "--prompt", "{text}"])
    shown = capsys.readouterr().out
    assert "(countTokens on 1 request)" in shown
    assert "not known: jobs cannot be listed" in shown


def test_the_price_leaves_out_what_needs_no_asking(
    gemini: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests, landed = tmp_path / "in.jsonl", tmp_path / "rows.jsonl"
    asks = [
        {"key": f"k{at}", "request": {"contents": [{"parts": [{"text": f"Say {at % 5}"}]}]}}
        for at in range(8)
    ]
    requests.write_text("".join(json.dumps(ask) + "\n" for ask in asks[:2]))
    with redirect_stdout(sys.stderr), client() as service:
        for run in range(3):
            task = PlainTask(owner=Owner(task_key("etl", "ask", str(run), -1), "etl.ask", {}, None))
            how = {"source": lambda: str(requests), "results_uri": str(landed), "dedupe": True}
            attempt(task, service, [], **how).run(Attempt())
    requests.write_text("".join(json.dumps(ask) + "\n" for ask in asks))

    def estimated(*more: str) -> dict[str, Any]:
        main(["estimate", str(requests), "--model", MODEL, *more, "--output", "json"])
        (found,) = json.loads(capsys.readouterr().out)
        return {name: found[name] for name in ("requests", "jobs", "reused", "same", "equal")}

    assert estimated() == {"requests": 8, "jobs": 1, "reused": None, "same": None, "equal": 3}
    every = str(tmp_path / "*.jsonl")
    with pytest.raises(SystemExit, match=r"in\.jsonl are there, and cannot be read"):
        estimated("--reuse", every)
    both = {"requests": 4, "jobs": 1, "reused": 4, "same": 0, "equal": 1}
    assert estimated("--reuse", str(tmp_path / "r*.jsonl")) == both
    assert estimated("--dedupe") == {"requests": 5, "jobs": 1, "reused": 0, "same": 3, "equal": 3}
    requests.write_text("".join(json.dumps(ask) + "\n" for ask in asks[:2]))
    assert estimated("--reuse", str(landed)) == {"requests": 0, "jobs": 0, "reused": 2, "same": 0, "equal": 0}
    main(["estimate", str(requests), "--model", MODEL, "--reuse", str(landed)])
    assert "answered before" in capsys.readouterr().out
    main(["estimate", str(requests), "--model", MODEL])
    assert "usually" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="are not there"):
        estimated("--reuse", str(tmp_path / "none.jsonl"))
    assert [*tmp_path.glob("*asked*")] == []
    assert len(gemini.jobs) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--reuse", "{bad"], "ManifestError: '{bad' cannot be read as a manifest"),
        (["--reuse", '{"a": 1}'], "ManifestError: This is not a manifest"),
        (
            ["--reuse", "none-*.jsonl"],
            r"InputError: Earlier results are not there: none-\*\.jsonl\. .*leave reuse out",
        ),
    ],
    ids=str,
)
def test_earlier_results_that_are_none_are_refused_in_one_line(
    gemini: Emulator, tmp_path: Path, wrong: list[str], said: str
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    with pytest.raises(SystemExit, match=said):
        main(["estimate", str(file), *wrong])


def test_the_price_of_a_table_is_told_by_its_task(gemini: Emulator) -> None:
    with pytest.raises(SystemExit, match=r"reads files.*plan_only=True: BigQuery counts its rows"):
        main(["estimate", "bq://p.d.t", "--prompt", "{text}"])


def test_a_price_list_without_the_model_is_not_said_to_be_missing(
    gemini: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(lines())
    main(["estimate", str(file), "--model", "gemini-9-unheard-of", "--output", "plain"])
    assert "it does not have this model; a newer genai-prices may have it" in capsys.readouterr().out
