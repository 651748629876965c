"""What Airflow reads about the package: valid by its own schemas, complete, and loaded without a complaint."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from inspect import isabstract
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.triggers.base import BaseTrigger

import airflow_provider_genai_batch
from airflow_provider_genai_batch import __version__
from airflow_provider_genai_batch.get_provider_info import get_provider_info
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.links import genai_batch as links
from tests.docs.pages import Page, code
from tests.waiting import PATIENCE

SCHEMAS = Path(airflow.__file__).parent
INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]


def imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_it_is_valid_by_the_schema_of_what_airflow_loads() -> None:
    schema = json.loads((SCHEMAS / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_it_is_valid_by_the_stricter_schema_of_providers_sources() -> None:
    schema = json.loads((SCHEMAS / "provider.yaml.schema.json").read_text())
    of_sources = {"state": "ready", "source-date-epoch": 0, "versions": [__version__]}
    jsonschema.validate({**INFO, **of_sources}, schema)


@pytest.mark.parametrize("kind", ["operators", "sensors", "hooks", "triggers"])
def test_every_module_that_is_named_is_there(kind: str) -> None:
    integrations = {integration["integration-name"] for integration in INFO["integrations"]}
    for entry in INFO[kind]:
        assert entry["integration-name"] in integrations
        assert all(importlib.import_module(module) for module in entry["python-modules"])


def test_every_trigger_is_named() -> None:
    folder = importlib.import_module("airflow_provider_genai_batch.triggers").__path__
    names = {
        f"airflow_provider_genai_batch.triggers.{module.name}" for module in pkgutil.iter_modules(folder)
    }
    there = {name for name in names if any(map(_runs, vars(importlib.import_module(name)).values()))}
    assert {module for entry in INFO["triggers"] for module in entry["python-modules"]} == there


def _runs(thing: object) -> bool:
    """Whether something is a trigger, and not only a base of triggers."""
    return isinstance(thing, type) and issubclass(thing, BaseTrigger) and not isabstract(thing)


def test_every_link_is_named() -> None:
    there = {
        f"{links.__name__}.{name}"
        for name, member in vars(links).items()
        if isinstance(member, type) and issubclass(member, BaseOperatorLink) and name.startswith("GenAI")
    }
    assert set(INFO["extra-links"]) == there


def test_every_name_leads_to_what_it_says() -> None:
    assert imported(CONNECTION["hook-class-name"]) is GenAIBatchHook
    assert CONNECTION["connection-type"] == GenAIBatchHook.conn_type
    assert CONNECTION["hook-name"] == GenAIBatchHook.hook_name
    assert all(callable(imported(one["class-name"])) for one in INFO["task-decorators"])
    assert all(callable(imported(one)) for one in INFO["cli"])


def test_the_form_has_every_extra_that_the_reference_tells() -> None:
    told = [row[0] for row in Page("docs/reference/connection.md").table("## Fields", "Field")]
    extras = {code(name) for name in told if name.startswith("extra ")}
    assert set(CONNECTION["conn-fields"]) == extras - {"scope", "quota_project_id"}  # of Google's own type


def test_what_is_secret_is_not_shown_in_the_form() -> None:
    hidden = {
        name
        for name, field in CONNECTION["conn-fields"].items()
        if field["schema"].get("format") == "password"
    }
    assert hidden == {"keyfile_dict", "credential_config_file"}


def test_the_form_calls_fields_as_errors_and_pages_do() -> None:
    behaviour = CONNECTION["ui-field-behaviour"]
    for field in ("password", "host"):
        assert behaviour["relabeling"][field].startswith(f"{field.capitalize()} (")
    assert "test button" in behaviour["placeholders"]["port"]


LOADED = """
import sys
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
(form,) = [one for one in manager.iter_connection_type_hook_ui_metadata() if one.connection_type == "genai_batch"]
assert form.field_behaviour["relabeling"]["password"] == "Password (Gemini API key)", form
assert "airflow_provider_genai_batch.hooks.genai_batch" not in sys.modules, "the form needs the hook"
fields = [name for name in manager.connection_form_widgets if name.startswith("extra__genai_batch__")]
assert len(fields) == int(sys.argv[1]), fields
assert manager.hooks["genai_batch"].hook_name == "Google GenAI Batch"
assert len([name for name in manager.extra_links_class_names if "genai_batch" in name]) == 2
assert "genai_batch" in manager.taskflow_decorators
print("loaded")
"""


def test_airflow_loads_it_without_a_complaint_and_the_form_without_the_hook() -> None:
    words = [sys.executable, "-c", LOADED, str(len(CONNECTION["conn-fields"]))]
    ran = subprocess.run(words, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr
    said = [line for line in (ran.stdout + ran.stderr).splitlines() if "genai" in line.lower()]
    assert said == []
    assert ran.stdout.endswith("loaded\n")


COMMANDS = {
    ("get", INFO["package-name"], "--full"): INFO["name"],
    ("links",): INFO["extra-links"][0],
    ("widgets",): "extra__genai_batch__keyfile_dict",
    ("behaviours",): "genai_batch",
    ("triggers",): INFO["triggers"][0]["python-modules"][0],
}
ASKED = """
import io, json, sys
from contextlib import redirect_stdout
from airflow.__main__ import main
told = []
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = ["providers", *words, "--output", "json"]
    with redirect_stdout(io.StringIO()) as out:
        main()
    told.append(out.getvalue())
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def answers() -> tuple[dict[tuple[str, ...], str], str]:
    """Give what Airflow's commands print, and all that they complain of; one process asks them all."""
    command = [sys.executable, "-c", ASKED, json.dumps([*COMMANDS])]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(COMMANDS, json.loads(ran.stdout.splitlines()[-1]), strict=True)), ran.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_airflows_command_tells_of_it(
    words: tuple[str, ...], answers: tuple[dict[tuple[str, ...], str], str]
) -> None:
    printed, complaints = answers
    assert COMMANDS[words] in printed[words]
    assert airflow_provider_genai_batch.__name__ not in complaints
