"""What comes with the package and its extras may be used beside it."""

from __future__ import annotations

import json

import pytest

from tests.packaging.bill import Component, components, cyclonedx, extras


@pytest.mark.parametrize("extra", extras(), ids=str)
def test_the_licence_of_all_that_an_extra_brings_along_is_known_and_allows_its_use(extra: str | None) -> None:
    found = components(extra)
    assert {"apache-airflow", "httpx", "pydantic"} <= {one.name for one in found}
    assert [one for one in found if not one.may_be_used] == []


@pytest.mark.parametrize(
    ("licence", "may_be_used"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0", True),
        ("AGPL-3.0-only", False),
        ("GPL-3.0", False),
        ("", False),
    ],
)
def test_a_licence_that_asks_for_more_is_noticed(licence: str, may_be_used: bool) -> None:
    assert Component("a", "1", licence).may_be_used is may_be_used


def test_the_bill_is_printed_in_a_format_that_other_tools_read() -> None:
    bill = json.loads(json.dumps(cyclonedx()))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {one["name"]: one for one in bill["components"]}
    assert named["google-auth"]["purl"].startswith("pkg:pypi/google-auth@")
    assert all(one["licenses"][0]["license"]["name"] for one in named.values())
