"""Checks the fields of every request on their own, so that a mistake in them is not blamed on the first request."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.vertex_importer import Importer
from airflow_provider_genai_batch.wire.answers.media import refuse_media
from airflow_provider_genai_batch.wire.catalog.publishers import family_of, task_of
from airflow_provider_genai_batch.wire.partners.fields import partner_fields
from airflow_provider_genai_batch.wire.prompts.config import request_fields
from airflow_provider_genai_batch.wire.prompts.embed import embed_config, embed_request
from airflow_provider_genai_batch.wire.spelling import fields_of


def check_defaults(defaults: Any, backend: Backend, model: str, *, name: str = "request_defaults") -> None:
    """Refuse defaults that no request could have.

    Args:
        defaults: SDK config or REST fields, or None.
        backend: where the requests go.
        model: the job's model.
        name: the parameter that the defaults come from.

    Raises:
        RequestError: an unknown field or a value that cannot be sent; it names the parameter.
    """
    if defaults is None:
        return
    if fields_of(defaults) is None:
        msg = f"it is of type {type(defaults).__name__}"
        raise RequestError(
            msg, "Give the fields as a dict, or as an object of google.genai.types.", where=name
        )
    try:
        if task_of(model) is Task.EMBED:
            embed_request("any", embed_config(defaults, backend), backend=backend, model=model)
            return
        if (family := family_of(model)) is not Family.GOOGLE:
            partner_fields(defaults, family)
            return
        fields = request_fields(defaults, backend)
        if fields and backend is Backend.VERTEX:
            Importer().check({"request": fields}, 1)
    except RequestError as error:
        raise error.at(name) from error


def refuse_media_of_all(defaults: Any, backend: Backend, model: str) -> None:
    """Refuse requests that would all return pictures or sound, by model or by defaults, if nothing stores them.

    Args:
        defaults: SDK config or REST fields that have been checked, or None.
        backend: where the requests go.
        model: the job's model.

    Raises:
        RequestError: every request would return pictures or sound.
    """
    if defaults is None:
        refuse_media({}, model)
    elif family_of(model) is Family.GOOGLE:
        refuse_media(request_fields(defaults, backend), model)
