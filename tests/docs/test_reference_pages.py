"""What the reference says of trigger, decorator, clients, commands and exceptions is what the code has."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from airflow_provider_genai_batch import exceptions
from airflow_provider_genai_batch.cli.definition import get_genai_batch_cli_commands
from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, GenAIBatchClient
from airflow_provider_genai_batch.decorators.decorated import GenAIBatchDecoratedOperator
from airflow_provider_genai_batch.decorators.genai_batch import genai_batch_task
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why
from airflow_provider_genai_batch.hooks.connection import _ACCOUNTS, _OTHER_CREDENTIALS
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.docs.pages import Page, code
from tests.docs.signatures import CLASSES, of_class

OPERATORS = Page("docs/reference/operators.md")
COMMANDS = Page("docs/reference/commands.md")
EXCEPTIONS = Page("docs/reference/exceptions.md")
TRIGGER = "## GenAIBatchTrigger"


def told(title: str, first: str) -> list[str]:
    return [code(row[0]) for row in OPERATORS.table(title, first)]


def test_every_parameter_of_the_trigger_is_told_with_its_default() -> None:
    signature = inspect.signature(GenAIBatchTrigger.__init__)
    defaults = {
        name: "" if parameter.default is inspect.Parameter.empty else repr(parameter.default)
        for name, parameter in signature.parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    assert {code(row[0]): code(row[1]) for row in OPERATORS.table(TRIGGER, "Parameter")} == defaults


def test_every_field_of_a_plan_is_told() -> None:
    assert told(TRIGGER, "Field of `plan`") == [field.name for field in dataclasses.fields(WaitPlan)]


def test_every_field_of_an_event_is_told() -> None:
    fields = [field.name for field in dataclasses.fields(Ending)]
    assert told(TRIGGER, "Field of the event") == [*fields, "job_names", "memo"]
    (why,) = [row[1] for row in OPERATORS.table(TRIGGER, "Field of the event") if code(row[0]) == "why"]
    assert set(re.findall(r"`(\w+)`", why)) == {member.value for member in Why}


@pytest.mark.parametrize("thing", [GenAIBatchTrigger, genai_batch_task], ids=lambda thing: thing.__name__)
def test_the_reference_says_where_it_is(thing: type) -> None:
    assert f"`{thing.__module__}.{thing.__name__}`" in OPERATORS.text


def test_the_decorator_takes_what_the_operator_takes_except_src() -> None:
    assert issubclass(GenAIBatchDecoratedOperator, GenAIBatchOperator)
    assert "src" not in GenAIBatchDecoratedOperator.template_fields
    section = " ".join(OPERATORS.section("## @task.genai_batch").split())
    assert "The parameters of GenAIBatchOperator except `src`" in section
    own = inspect.signature(genai_batch_task).parameters
    assert set(own) == {"python_callable", "multiple_outputs", "kwargs"}
    assert "`multiple_outputs=True`" in section


def test_the_ways_to_name_an_account_are_those_that_the_connection_has() -> None:
    rows = Page("docs/how-to/connect.md").table("## Vertex AI", "Account")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert named == {*_ACCOUNTS, "key_secret_project_id"}


def test_what_a_google_connection_may_not_say_is_told() -> None:
    rows = Page("docs/reference/connection.md").table("## A Google Cloud connection", "Extra")
    (refused,) = [row[0] for row in rows if row[1].startswith("refused")]
    assert set(re.findall(r"`(\w+)`", refused)) == {*_OTHER_CREDENTIALS}


def arguments(cls: type) -> set[str]:
    """Return what a docstring says that a class is given."""
    _, _, rest = inspect.cleandoc(cls.__doc__ or "").partition("Args:\n")
    section = rest.partition("\n\n")[0]
    return set(re.findall(r"^    (\w+):", section, re.MULTILINE))


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_the_docstring_of_an_operator_names_every_parameter(cls: type) -> None:
    assert arguments(cls) == of_class(cls).keys()


def test_the_docstring_of_the_trigger_names_every_parameter() -> None:
    parameters = inspect.signature(GenAIBatchTrigger).parameters.values()
    assert arguments(GenAIBatchTrigger) == {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}


def methods(client: type) -> set[str]:
    return {name for name, member in vars(client).items() if callable(member) and not name.startswith("_")}


def test_both_clients_have_the_methods_that_are_told() -> None:
    assert methods(GenAIBatchClient) == methods(AsyncGenAIBatchClient)
    named = re.search(r"the same methods: (.+?)\. ", " ".join(OPERATORS.section("## GenAIBatchHook").split()))
    assert named is not None
    words = set(re.findall(r"`(\w+)`", named[1]))
    assert words == methods(GenAIBatchClient) - {"close", "plain_rows", "row_pieces", "perform", "run", "act"}


def test_every_command_is_told_and_no_other() -> None:
    (group,) = get_genai_batch_cli_commands()
    there = {command.name for command in group.subcommands}
    assert {code(row[0]).split()[0] for row in COMMANDS.table("# Commands", "Command")} == there


def attributes(error: type[BaseException]) -> set[str]:
    """Return what an error's docstring says that it has."""
    _, _, rest = inspect.cleandoc(error.__doc__ or "").partition("Attributes:\n")
    return set(re.findall(r"^    (\w+):", rest, re.MULTILINE))


@pytest.mark.parametrize(
    "error",
    [
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and "Attributes:" in str(value.__doc__)
    ],
    ids=lambda error: error.__name__,
)
def test_what_an_exception_has_is_told(error: type[BaseException]) -> None:
    (row,) = [row for row in EXCEPTIONS.table("# Exceptions", "Exception") if code(row[0]) == error.__name__]
    _, _, listed = row[2].partition("it has ")
    assert set(re.findall(r"`(\w+)`", listed)) == attributes(error)


@pytest.mark.parametrize(
    "error",
    [value for value in vars(exceptions).values() if isinstance(value, type) and vars(value).get("__init__")],
    ids=lambda error: error.__name__,
)
def test_what_an_exception_is_given_it_says_that_it_has(error: type[BaseException]) -> None:
    sets = set(re.findall(r"self\.(\w+)", inspect.getsource(error.__init__))) - {"remedy"}
    assert sets - attributes(error) <= set()
