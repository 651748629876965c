"""The two loops do the same; waits are what they should be; identities are stable."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import InputError, TransportError
from airflow_provider_genai_batch.flows.drive import adrive, drive
from airflow_provider_genai_batch.flows.retry import LONGEST, backoff
from airflow_provider_genai_batch.models.jobs.identity import (
    Identity,
    as_label,
    digest,
    merge_labels,
    task_key,
)


def _flow(log: list[Any]) -> Generator[Any, Any, str]:
    try:
        log.append((yield "first"))
        try:
            yield "fails"
        except TransportError as error:
            log.append(str(error))
        log.append((yield "last"))
        return "done"
    finally:
        log.append("closed")


def _act(step: str) -> str:
    if step == "fails":
        msg = "trouble"
        raise TransportError(msg)
    return step.upper()


async def _aact(step: str) -> str:
    return _act(step)


async def test_both_loops_carry_out_a_flow_alike() -> None:
    one: list[Any] = []
    two: list[Any] = []
    assert drive(_flow(one), _act) == await adrive(_flow(two), _aact) == "done"
    assert one == two == ["FIRST", "trouble", "LAST", "closed"]


async def test_an_error_that_a_flow_does_not_expect_comes_out_of_both() -> None:
    def act(_: str) -> None:
        msg = "no"
        raise InputError(msg)

    async def aact(step: str) -> None:
        act(step)

    for log in ([], []):  # type: list[Any]
        with pytest.raises(InputError, match="no"):
            drive(_flow(log), act)
        assert log == ["closed"]
        with pytest.raises(InputError, match="no"):
            await adrive(_flow(log), aact)
        assert log == ["closed", "closed"]


async def test_an_error_of_somebody_else_closes_the_flow_and_is_not_shown_to_it() -> None:
    def act(_: str) -> None:
        raise KeyboardInterrupt

    log: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        drive(_flow(log), act)
    assert log == ["closed"]


async def test_a_flow_without_steps_is_its_result() -> None:
    def empty() -> Generator[Any, Any, int]:
        return 5
        yield

    assert drive(empty(), _act) == await adrive(empty(), _aact) == 5


@given(st.integers(1, 10_000))
def test_waits_double_up_to_a_limit_and_are_spread_over_their_upper_half(failures: int) -> None:
    ceiling = min(LONGEST, 2.0 ** min(failures - 1, 20))
    assert ceiling / 2 <= backoff(failures) <= ceiling


@given(st.integers(1, 100), st.floats(0, 3600))
def test_a_hint_of_up_to_an_hour_is_never_undercut(failures: int, hint: float) -> None:
    assert hint <= backoff(failures, hint) <= hint + 1


def test_a_display_name_ends_in_its_tag_and_fits() -> None:
    identity = Identity(digest("k"), digest("f"), 3)
    name = identity.display_name("d" * 300)
    assert len(name) == 128
    assert name.endswith(identity.tag)
    assert identity.tag.endswith("-r3")
    assert identity.labels()["genai_batch_round"] == "r3"
    assert all(value[0].isalpha() for value in identity.labels().values()), (
        "a filter may take it for a number"
    )


def test_a_key_does_not_depend_on_the_machine() -> None:
    assert task_key("dag", "task", "run", -1) == digest(["dag", "task", "run", -1])
    assert digest({"b": 1, "a": "ü"}) == digest({"a": "ü", "b": 1})
    assert digest("a").startswith("ac8d8342bbb2362d13f0a559a3621bb4")


@given(st.text())
def test_a_label_is_of_the_letters_that_labels_may_have(text: str) -> None:
    label = as_label(text)
    assert len(label) <= 63
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_empty_labels_are_left_out() -> None:
    assert merge_labels({"a": "1", "b": "2"}, {"b": "3", "c": ""}) == {"a": "1", "b": "3"}
