"""Everything that users import, or that Airflow stores by its path, as one literal list."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

import airflow_provider_genai_batch
from airflow_provider_genai_batch.get_provider_info import get_provider_info
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from airflow_provider_genai_batch.triggers.job_events import GenAIBatchJobsTrigger
from airflow_provider_genai_batch.triggers.pause import GenAIBatchPauseTrigger

PACKAGE = airflow_provider_genai_batch.__name__
ADVICE = (
    "Names without an underscore in a public module are promised to users. If users may import it, add it here, "
    "to docs/reference and to CHANGELOG.md. Else give it an underscore, or move it to an internal module. A name that "
    "is taken away breaks users after a release."
)

PUBLIC = {
    "adapters.common_ai": ["GeminiBatchAdapter", "VertexBatchAdapter"],
    "checks": ["Check", "drift", "invalid_share", "length", "null_share", "share"],
    "client": ["AsyncGenAIBatchClient", "ClientConfig", "GenAIBatchClient", "GoogleCredentials"],
    "decorators.genai_batch": ["genai_batch_task"],
    "emulator": [
        "Capacity",
        "Clock",
        "Emulator",
        "Fault",
        "JobScript",
        "Lifecycle",
        "RealClock",
        "RowError",
        "Switches",
        "Unspent",
        "VirtualClock",
    ],
    "exceptions": [
        "AlreadyExists",
        "ApiError",
        "ApprovalOutdated",
        "ApprovalRejected",
        "AuthenticationError",
        "BEFORE_SENDING",
        "BadRequest",
        "BeingSetUp",
        "CallError",
        "ChecksFailed",
        "ConfigurationError",
        "CostLimitExceeded",
        "CreateOutcomeUnknown",
        "DailyCostExceeded",
        "DeadlineMissed",
        "GenAIBatchError",
        "InputError",
        "JobCancelled",
        "JobError",
        "JobExpired",
        "JobFailed",
        "JobLost",
        "JobPaused",
        "JobTimedOut",
        "ManifestError",
        "NotFound",
        "OnlineStopped",
        "OutputNotReadable",
        "PASSING",
        "PermissionDenied",
        "PilotFailed",
        "PreconditionFailed",
        "QuotaExceeded",
        "RequestError",
        "ResultsNotWritten",
        "ServerError",
        "TooManyFailedRows",
        "TransportError",
        "UnreadableAnswer",
        "UnsupportedError",
    ],
    "get_provider_info": ["get_provider_info"],
    "hooks.genai_batch": ["DEFAULT_CONN_ID", "GenAIBatchHook", "open_client", "read_rows"],
    "models": [
        "Approval",
        "Approved",
        "BatchDestination",
        "BatchJob",
        "BatchRequest",
        "BatchSource",
        "Candidate",
        "Checked",
        "Citation",
        "Cost",
        "Fallback",
        "Grounding",
        "JobCounts",
        "JobOutput",
        "JobProblem",
        "JobState",
        "Logprobs",
        "Manifest",
        "Media",
        "ModelCost",
        "Part",
        "Pilot",
        "Plan",
        "PlannedCost",
        "ReadyBy",
        "ResultRow",
        "Reuse",
        "RowCounts",
        "RowError",
        "RowStatus",
        "Saved",
        "SqlSource",
        "TableJobs",
        "Usage",
        "Versions",
    ],
    "notifications.genai_batch": ["GenAIBatchNotifier", "message"],
    "operators.genai_batch": [
        "GenAIBatchCancelOperator",
        "GenAIBatchDeleteOperator",
        "GenAIBatchMergeOperator",
        "GenAIBatchOperator",
        "GenAIBatchResultsOperator",
        "GenAIBatchSplitOperator",
        "genai_batch_group",
    ],
    "sensors.genai_batch": ["GenAIBatchSensor"],
    "testing": [
        "SharedClock",
        "big_query",
        "cloud_storage",
        "emulator",
        "emulator_settings",
        "gemini",
        "genai_batch_conn_id",
        "no_real_google",
        "vertex",
        "virtual_clock",
    ],
    "triggers.genai_batch": ["GenAIBatchTrigger"],
    "triggers.job_events": ["ENDS", "GenAIBatchJobsTrigger"],
}

INTERNAL_ROOMS = [
    "adapters",
    "cli",
    "client",
    "decorators",
    "emulator",
    "flows",
    "hooks",
    "links",
    "models",
    "notifications",
    "operators",
    "pages",
    "reporting",
    "requests",
    "results",
    "sensors",
    "task",
    "testing",
    "triggers",
    "wire",
]
"""Rooms whose modules are internal, except those in `PUBLIC`."""

INTERNAL_MODULES = ["__main__", "address", "clock", "printable"]
"""Beside the rooms."""

STORED = [
    f"{PACKAGE}.models.request.BatchRequest",
    f"{PACKAGE}.models.row.ResultRow",
    f"{PACKAGE}.triggers.genai_batch.GenAIBatchTrigger",
    f"{PACKAGE}.triggers.job_events.GenAIBatchJobsTrigger",
    f"{PACKAGE}.triggers.pause.GenAIBatchPauseTrigger",
]
"""Paths that Airflow's database keeps: of triggers, and of objects in XComs."""

PROVIDER_INFO = [
    f"{PACKAGE}.cli.definition.get_genai_batch_cli_commands",
    f"{PACKAGE}.decorators.genai_batch.genai_batch_task",
    f"{PACKAGE}.hooks.genai_batch",
    f"{PACKAGE}.hooks.genai_batch.GenAIBatchHook",
    f"{PACKAGE}.links.genai_batch.GenAIBatchJobLink",
    f"{PACKAGE}.links.genai_batch.GenAIBatchRowsLink",
    f"{PACKAGE}.notifications.genai_batch.GenAIBatchNotifier",
    f"{PACKAGE}.operators.genai_batch",
    f"{PACKAGE}.sensors.genai_batch",
    f"{PACKAGE}.triggers.genai_batch",
    f"{PACKAGE}.triggers.job_events",
    f"{PACKAGE}.triggers.pause",
]
"""Paths in what the package says of itself to Airflow."""


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_has_the_public_names_that_are_listed(module: str) -> None:
    assert sorted(public_names(module)) == PUBLIC[module], f"{module}: {ADVICE}"
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    assert all(hasattr(loaded, name) for name in PUBLIC[module])


def test_every_other_module_is_in_an_internal_room() -> None:
    modules = {module.name.removeprefix(f"{PACKAGE}.") for module in walk()}
    rest = {
        module
        for module in modules
        if module not in PUBLIC and module.partition(".")[0] not in INTERNAL_ROOMS
    }
    assert sorted(rest) == INTERNAL_MODULES, f"Put a new module into a room, or list it as public. {ADVICE}"


def test_every_internal_room_is_there() -> None:
    rooms = {module.name.removeprefix(f"{PACKAGE}.") for module in walk() if module.ispkg}
    assert {room for room in rooms if "." not in room} == set(INTERNAL_ROOMS)


@pytest.mark.parametrize(
    "trigger",
    [GenAIBatchTrigger(DEFAULT_CONN_ID, ["batches/a"]), GenAIBatchPauseTrigger(), GenAIBatchJobsTrigger()],
    ids=lambda trigger: type(trigger).__name__,
)
def test_a_trigger_is_stored_by_a_path_that_is_listed(trigger: BaseTrigger) -> None:
    path, _ = trigger.serialize()
    assert path in STORED
    assert loaded(path) is type(trigger)


@pytest.mark.parametrize("path", STORED)
def test_what_is_stored_is_found_again_by_its_path(path: str) -> None:
    found = loaded(path)
    assert f"{found.__module__}.{found.__qualname__}" == path


def test_airflow_finds_in_the_package_the_paths_that_are_listed() -> None:
    named = {text for text in texts(get_provider_info()) if text.startswith(f"{PACKAGE}.")}
    assert sorted(named) == PROVIDER_INFO, ADVICE


def public_names(module: str) -> Iterator[str]:
    """Give the names in ``__all__``; without it those that the module defines without an underscore."""
    loaded_module = importlib.import_module(f"{PACKAGE}.{module}")
    listed = getattr(loaded_module, "__all__", None)
    if listed is not None:
        yield from listed
        return
    for node in ast.parse(Path(str(loaded_module.__file__)).read_text()).body:
        for name in defined(node):
            if not name.startswith("_") and name != "log":
                yield name


def defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def walk() -> Iterator[pkgutil.ModuleInfo]:
    """Give the modules without importing any but the rooms."""
    return pkgutil.walk_packages(airflow_provider_genai_batch.__path__, f"{PACKAGE}.")


def loaded(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)
