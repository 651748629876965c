"""Tables that repeat code say what the code says."""

from __future__ import annotations

import ast
import inspect
import re

import pytest
import tomllib

from airflow_provider_genai_batch import __version__, exceptions
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.emulator.__main__ import parser
from airflow_provider_genai_batch.emulator.serving.control import Control
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE
from airflow_provider_genai_batch.flows.outcome.settle import allowed_rows
from airflow_provider_genai_batch.flows.submission.own_jobs import usable
from airflow_provider_genai_batch.hooks import connection
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import (
    BatchJob,
    JobState,
    Manifest,
    ResultRow,
    RowCounts,
    RowStatus,
    Usage,
)
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.operators import genai_batch
from airflow_provider_genai_batch.requests.inline import EMBEDDING_BYTES
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, MOST_OUTPUT
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.services import gemini, vertex
from tests.docs.pages import ROOT, Page, code
from tests.docs.signatures import CLASSES, of_class, parameters

README = Page("README.md")
CONNECTION = Page("docs/reference/connection.md")
OPERATORS = Page("docs/reference/operators.md")
ROWS = Page("docs/reference/rows.md")
OUTCOMES = Page("docs/reference/outcomes.md")
EXCEPTIONS = Page("docs/reference/exceptions.md")
EMULATOR = Page("docs/reference/emulator.md")
BACKENDS = Page("docs/how-to/choose-a-backend.md")

OUTCOMES_TABLE = OUTCOMES.table("# Outcomes", "The job …")


def table(page: Page, title: str, first: str, value: int = 1) -> dict[str, str]:
    """Return a table as a dict from the code in its first column to the code in another."""
    return {code(row[0]): code(row[value]) for row in page.table(title, first)}


def exceptions_in(cell: str) -> list[str]:
    """Return the exceptions that a cell names."""
    return re.findall(r"`([A-Z][a-z]\w+)`", cell)


@pytest.mark.parametrize(
    ("page", "name"), [(README, "GenAIBatchOperator"), *((OPERATORS, name) for name in CLASSES)], ids=str
)
def test_every_parameter_is_told_with_its_default(page: Page, name: str) -> None:
    assert table(page, f"## {name}", "Parameter") == of_class(CLASSES[name])


def test_every_parameter_of_the_group_is_listed_with_its_default() -> None:
    assert table(OPERATORS, "## genai_batch_group", "Parameter") == parameters(
        genai_batch.genai_batch_group
    ) | {"group_id": ""}


@pytest.mark.parametrize("name", CLASSES)
def test_the_parameters_called_templates_are_those(name: str) -> None:
    told = {code(row[0]) for row in OPERATORS.table(f"## {name}", "Parameter") if row[2] == "yes"}
    assert told == set(CLASSES[name].template_fields) - {
        "asks_for"
    }  # which is shown there, and rendered never


@pytest.mark.parametrize("name", [*CLASSES, "GenAIBatchHook"])
def test_the_reference_says_where_a_class_is(name: str) -> None:
    path = re.search(rf"`(airflow_provider_genai_batch\.\S+)\.{name}\b", OPERATORS.section(f"## {name}"))
    assert path is not None
    module = __import__(path[1], fromlist=[name])
    assert getattr(module, name) is {**CLASSES, "GenAIBatchHook": GenAIBatchHook}[name]


@pytest.mark.parametrize(
    ("page", "title"), [(README, "## Connection"), (CONNECTION, "## Fields")], ids=["README", "reference"]
)
def test_every_extra_that_the_code_reads_is_told_and_no_other(page: Page, title: str) -> None:
    tree = ast.parse(inspect.getsource(connection))
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and getattr(node.func.value, "id", "") == "extra"
    }
    fields = page.table(title, "Field")
    assert {code(row[0]) for row in fields if row[0].startswith("extra ")} == read
    assert [row[0] for row in fields if not row[0].startswith("extra ")] == ["Password", "Host", "Port"]
    default = {code(row[0]): row[1] for row in fields}
    assert default["location"] == f"`{vertex.DEFAULT_LOCATION}`"
    assert (
        default["api_version"]
        == f"`{gemini.DEFAULT_VERSION}` on Gemini, `{vertex.DEFAULT_VERSION}` on Vertex AI"
    )


def test_the_connection_has_the_type_and_id_that_the_pages_say() -> None:
    for text in (README.section("## Connection"), CONNECTION.section("# Connection")):
        assert f"ype `{GenAIBatchHook.conn_type}`" in text
        assert f"default id `{GenAIBatchHook.default_conn_name}`" in text


def test_every_exception_is_told_with_what_it_is() -> None:
    defined = {
        name: cls.__base__.__name__
        for name, cls in vars(exceptions).items()
        if isinstance(cls, type) and issubclass(cls, exceptions.GenAIBatchError)
    }
    assert table(EXCEPTIONS, "# Exceptions", "Exception") == defined


@pytest.mark.parametrize(
    ("title", "first", "names"),
    [
        ("## Manifest", "Field", list(Manifest.model_fields)),
        ("## Row", "Field", list(ResultRow.model_fields)),
        ("## Row", "Status", [status.value for status in RowStatus]),
    ],
    ids=["manifest", "row", "status"],
)
def test_fields_of_manifest_and_row_are_all_told(title: str, first: str, names: list[str]) -> None:
    assert list(table(ROWS, title, first)) == names


def test_counts_and_tokens_are_told_by_name() -> None:
    words = set(re.findall(r"`(\w+)`", ROWS.section("## Manifest")))
    assert words >= set(RowCounts.model_fields) | set(Usage.model_fields)


def test_every_state_is_told_with_what_it_means() -> None:
    told = {code(row[0]): row[1] for row in OUTCOMES.table("## States", "State")}
    assert told == {state.value: state.verdict.value for state in JobState}


def test_the_states_that_a_retry_replaces_are_told() -> None:
    (replaced,) = [
        row[0]
        for row in OUTCOMES.table("## What a retry does", "Job of the attempt before")
        if row[1].startswith("submits a new job")
    ]
    useless = {
        state.value
        for state in JobState
        if not usable(BatchJob(name="batches/a", backend=Backend.GEMINI, state=state))
    }
    assert set(re.findall(r"`(\w+)`", replaced)) == useless


@pytest.mark.parametrize("row", OUTCOMES_TABLE, ids=lambda row: row[0][:40])
def test_every_outcome_names_exceptions_that_exist_and_tests_that_exist(row: list[str]) -> None:
    for word in exceptions_in(row[1]):
        assert hasattr(exceptions, word), word
    shown_by = re.findall(r"`(\S+)::(\w+)`", row[-1])
    assert shown_by
    for path, name in shown_by:
        names = {
            node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if hasattr(node, "name")
        }
        assert name in names, f"{path} has no {name}"


@pytest.mark.parametrize("row", OUTCOMES_TABLE, ids=lambda row: row[0][:40])
def test_every_outcome_says_what_the_task_and_the_next_attempt_do(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)


def test_every_state_has_an_outcome() -> None:
    told = {word for row in OUTCOMES_TABLE for word in re.findall(r"[A-Z_]{4,}", row[0])}
    assert told == {state.value for state in JobState} - {"UNSPECIFIED"}


def test_every_failure_of_a_job_has_an_outcome() -> None:
    told = {word for row in OUTCOMES_TABLE for word in exceptions_in(row[1])}
    assert told >= {cls.__name__ for cls in exceptions.JobError.__subclasses__()} | {"CreateOutcomeUnknown"}


def test_rows_are_asked_for_as_long_as_the_page_says() -> None:
    minutes = re.search(r"for up to (\d+) minutes", OUTCOMES.section("# Outcomes"))
    assert minutes is not None
    assert int(minutes[1]) * 60 == READ_PATIENCE


@pytest.mark.parametrize("page", [README, OPERATORS], ids=str)
def test_the_budgets_of_each_service_are_told(page: Page) -> None:
    settings = RunSettings.of(genai_batch.GenAIBatchOperator(task_id="ask", model="m", src=["a"]))
    gemini_hours, vertex_hours = (settings.budget(backend) / 3600 for backend in Backend)
    (told,) = [row[-1] for row in page.table("## GenAIBatchOperator", "Parameter") if "`timeout`" in row[0]]
    assert f"{gemini_hours:.0f} h on Gemini, {vertex_hours:.0f} h on Vertex AI" in told


@pytest.mark.parametrize("page", [README, OPERATORS], ids=str)
def test_the_fraction_of_rows_that_may_fail_is_told_as_it_is_read(page: Page) -> None:
    (told,) = [row[-1] for row in page.table("## GenAIBatchOperator", "Parameter") if "max_failed" in row[0]]
    largest = re.search(r"fraction \(float up to ([\d.]+)\)", told)
    assert largest is not None
    assert allowed_rows(float(largest[1]), 200) == 200
    assert allowed_rows(int(float(largest[1])), 200) == 1


def test_the_limits_of_each_service_are_told() -> None:
    rows = {row[0]: row[1:] for row in BACKENDS.table("# Choose a backend", "")}
    model = "gemini-2.5-flash"
    sizes = [str(limits_of(backend, Task.GENERATE, model).max_bytes) for backend in Backend]
    assert [cell.split()[0] for cell in rows["Largest input file"]] == sizes
    assert rows["Largest list sent inline"][0] == f"{gemini.MAX_BODY_BYTES} bytes"
    answers = gemini.MOST_INLINE_BYTES // (MOST_OUTPUT * BYTES_A_TOKEN)
    embeddings = gemini.MOST_INLINE_BYTES // EMBEDDING_BYTES
    text = " ".join(BACKENDS.section("# Choose a backend").split())
    assert f"more than {answers} answers without `max_output_tokens`, or more than {embeddings} emb" in text
    most = [
        limits_of(Backend.VERTEX, task, name).max_requests
        for task, name in (
            (Task.GENERATE, model),
            (Task.EMBED, "gemini-embedding-001"),
            (Task.EMBED, "text-embedding-005"),
        )
    ]
    assert [int(number) for number in re.findall(r"\d+", rows["Most requests in a job"][1])] == most


def test_every_argument_of_the_emulator_is_told_with_its_default() -> None:
    assert table(EMULATOR, "## In Python", "Argument") == parameters(Emulator.__init__)


def test_every_option_of_the_emulators_command_is_told_with_its_default() -> None:
    actions = [action for action in parser()._actions if action.dest != "help"]
    plain = {
        a.option_strings[0]: "" if a.default is None or a.default is False else str(a.default)
        for a in actions
    }
    assert table(EMULATOR, "## On a port", "Option") == plain


def test_every_fault_is_told() -> None:
    made = {
        name
        for name, member in vars(Fault).items()
        if isinstance(member, classmethod) and not name.startswith(("_", "from_"))
    }
    assert table(EMULATOR, "## Faults", "Fault").keys() == made


def test_every_control_route_is_told_with_its_methods() -> None:
    routes = {
        re.sub(
            r"\{(\w+)(:\w+)?\}",
            lambda found: "{" + {"number": "id"}.get(found[1], found[1]) + "}",
            route.path,
        ): (route.methods - {"HEAD"})
        for route in Control(None, None).routes()
    }
    told = {code(row[0]): set(row[1].split(", ")) for row in EMULATOR.table("## Over HTTP", "Route")}
    assert told == routes


def test_every_extra_of_the_package_is_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert table(README, "## Install", "Extra").keys() == project["optional-dependencies"].keys()
    assert f"pip install {project['name']} " in README.text
    versions = [project["requires-python"], *project["dependencies"]]
    assert ">=3.10" in versions
    assert "apache-airflow>=2.11.0" in versions
    assert "Python 3.10 and Airflow 2.11" in README.section("## Install")


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## \[([\d.]+)\]", Page("CHANGELOG.md").text, re.MULTILINE)
    assert first is not None
    assert first[1] == __version__
