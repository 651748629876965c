"""The table of what is said in a schema and what is checked only is what the code does."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from pydantic import Field

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.schemas.schema import response_schema
from airflow_provider_genai_batch.wire.schemas.type_schema import schema_of_type

_PAGE = Path(__file__).parents[2] / "docs/how-to/structured-output.md"
_ROW = re.compile(r"\| `(?P<type>.+?)` \| `(?P<asked>\{.+?\})` \| (?P<left>.*?)\|")
_NAMES = {
    "Annotated": Annotated,
    "Decimal": Decimal,
    "Field": Field,
    "Literal": Literal,
    "Optional": Optional,
    "Union": Union,
    "datetime": dt,
}
ROWS = [found.groupdict() for line in _PAGE.read_text().splitlines() if (found := _ROW.fullmatch(line))]


def test_the_table_has_rows() -> None:
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", ROWS, ids=[row["type"] for row in ROWS])
@pytest.mark.parametrize("backend", Backend)
def test_a_row_says_what_is_asked_for_and_what_is_left_out(row: dict[str, Any], backend: Backend) -> None:
    kind = eval(row["type"], _NAMES)
    schema = schema_of_type(kind)
    assert response_schema(schema, backend) == json.loads(row["asked"])
    assert list(schema.left_out) == re.findall("`(.+?)`", row["left"])
