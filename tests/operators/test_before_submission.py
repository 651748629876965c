"""What happens before a job is there: trouble is waited out, refusals say that nothing is paid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    CostLimitExceeded,
    InputError,
    JobTimedOut,
    ServerError,
    UnsupportedError,
)
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL, SCENES, Scene

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
PLACED = {"gemini-file": "upload", "vertex-file": "upload", "vertex-gcs": "download"}
"""What the client does to put each scene's input in place, or to read it."""


class Trouble:
    """A client that does not get through for some times, whatever it repeated by itself.

    Attributes:
        times: how often it meets trouble yet.
    """

    def __init__(self, patch: pytest.MonkeyPatch, deed: str, times: float) -> None:
        self.times = times
        do = getattr(GenAIBatchClient, deed)

        def fail_first(client: GenAIBatchClient, *args: Any, **settings: Any) -> Any:
            if self.times > 0:
                self.times -= 1
                raise ServerError("away", code=503, retry_after=0, method=deed)
            return do(client, *args, **settings)

        patch.setattr(GenAIBatchClient, deed, fail_first)


def _scene(name: str, request: pytest.FixtureRequest, folder: Path) -> Scene:
    backend, build = SCENES[name]
    return build(request.getfixturevalue(backend), folder)


def _ask(**settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", **{"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings}
        )
    )


def _creates(emulator: Emulator) -> int:
    return sum(one["method"].endswith((".create", "Jobs.create")) for one in emulator.requests)


@EVERY_WAY
@pytest.mark.parametrize("name", PLACED)
def test_trouble_while_an_input_is_placed_or_read_is_waited_out(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    deferrable: bool,
) -> None:
    scene = _scene(name, request, tmp_path)
    Trouble(monkeypatch, PLACED[name], 2)
    ran = _ask(deferrable=deferrable, **scene.arguments)
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 1
    assert len(scene.jobs) == 1
    assert _creates(scene.emulator) == 1
    said = [r.getMessage() for r in caplog.records if "Nothing was created" in r.getMessage()]
    assert len(said) == 2
    assert all("nothing is billed" in text for text in said)


@EVERY_WAY
@pytest.mark.parametrize("name", PLACED)
def test_trouble_that_outlasts_the_deadline_says_that_nothing_was_created(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    deferrable: bool,
) -> None:
    scene = _scene(name, request, tmp_path)
    Trouble(monkeypatch, PLACED[name], math.inf)
    ran = _ask(deferrable=deferrable, timeout=0.2, **scene.arguments)
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert "until the deadline" in str(error)
    assert "Nothing was created" in str(error)
    assert scene.jobs == []


@EVERY_WAY
def test_a_retry_whose_input_cannot_be_read_for_a_while_takes_its_job_up(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    scene = _scene("vertex-gcs", request, tmp_path)
    trouble = Trouble(monkeypatch, "download", 0)
    came_to = die_after_submit(monkeypatch, lambda: setattr(trouble, "times", 2))
    ran = _ask(deferrable=deferrable, retries=1, **scene.arguments)
    assert ran.state == "success", ran.errors
    assert trouble.times == 0
    assert len(set(came_to)) == 1
    assert _creates(scene.emulator) == 1


def _nothing(context: Any, jinja_env: Any) -> list[str]:
    """Make no request."""
    return []


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"src": _nothing}, InputError),
        ({"src": "gs://bucket/in.jsonl"}, UnsupportedError),
        ({"src": ["a"], "max_cost": 1e-12}, CostLimitExceeded),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else " ".join(value),
)
def test_a_refusal_before_anything_is_submitted_says_that_nothing_is_paid(
    gemini: Emulator, settings: dict[str, Any], kind: type[Exception]
) -> None:
    ran = _ask(**settings)
    (error,) = ran.errors
    assert isinstance(error, kind)
    assert isinstance(error, (InputError, ConfigurationError, CostLimitExceeded))
    assert str(error).count("nothing is billed") == 1
    assert gemini.jobs == []


def test_a_refusal_at_a_retry_says_what_became_of_earlier_jobs(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}\n')
    die_after_submit(monkeypatch, lambda: path.write_text("no JSON\n"))
    ran = _ask(src=str(path), retries=1)
    error = ran.errors[-1]
    assert isinstance(error, InputError)
    assert "This attempt submitted nothing" in str(error)
    assert "job of an earlier attempt" in str(error)
