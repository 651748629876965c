"""Renders pages as HTML, with headers that isolate them from other sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.models.jobs.identity import round_of
from airflow_provider_genai_batch.pages import chart, words

_HEADERS = {
    # The page loads nothing from other sites, and no other site can show it in a frame.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_templates = Environment(
    loader=PackageLoader("airflow_provider_genai_batch.pages"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(
    duration=words.duration,
    between=words.between,
    moment=words.moment,
    usd=words.usd,
    cost_range=words.cost_range,
    number=words.number,
    model_name=short,
    parts_of=chart.parts_of,
    round_of=round_of,
)


def page(
    template: str, status: int = 200, headers: Mapping[str, str] | None = None, /, **values: Any
) -> HTMLResponse:
    """Return a rendered page; `headers` are sent beside the usual ones."""
    text = _templates.get_template(template).render(now=clock.now(), **values)
    return HTMLResponse(text, status, headers={**(headers or {}), **_HEADERS})


def style_sheet() -> Response:
    """Return the style sheet of all pages; it contains no data."""
    text = _templates.get_template("style.css").render()
    return Response(text, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})
