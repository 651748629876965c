"""The destination that Vertex AI writes to, and the other settings of a create call.

Source: what Google's google-genai SDK accepts as ``config`` of ``batches.create``, and its default destination.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.parameters.sources import check_format
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of, free

_BIGQUERY = re.compile(r"bq://[^./]+(\.[^./]+){0,2}")
_GCS = re.compile(r"gs://[^/]+(/.*)?")
_JSONL = ".jsonl"


class JobConfig(NamedTuple):
    """The fields of the SDK's ``CreateBatchJobConfig``."""

    display_name: str | None = None
    destination: BatchDestination | None = None
    webhook: dict[str, Any] | None = None
    """``uris`` and ``userMetadata``, as Gemini's create call takes them."""


def read_destination(dest: Any) -> BatchDestination | None:
    """Read ``dest``: ``gs://prefix/``, ``bq://p[.d[.t]]``, or the fields of a ``BatchJobDestination``.

    Raises:
        InputError: it is neither or both, or its ``format`` contradicts it.
        UnsupportedError: a Vertex AI multimodal dataset.
    """
    if dest is None or isinstance(dest, BatchDestination):
        return dest
    dest = address(dest)
    if isinstance(dest, str):
        return _from_text(dest.strip())
    fields = fields_of(dest)
    if fields is None:
        msg = f"dest cannot be of type {type(dest).__name__}: give gs://prefix/ or bq://project.dataset.table"
        raise InputError(msg)
    if "vertexDataset" in fields:
        msg = "dest is a multimodal dataset, which is not supported: give a BigQuery table (bq://…)"
        raise UnsupportedError(msg)
    if unknown := sorted(fields.keys() - {"gcsUri", "bigqueryUri", "format"}):
        msg = f"dest has an unknown field {unknown[0]!r}; there are gcs_uri, bigquery_uri and format"
        raise InputError(msg)
    places = sorted(fields.keys() - {"format"})
    if len(places) != 1:
        msg = f"dest is either gcs_uri or bigquery_uri, not {' and '.join(places) or 'nothing'}"
        raise InputError(msg)
    check_format("dest", fields.get("format"), places[0])
    destination = _from_text(str(address(fields[places[0]])))
    if (destination.gcs_uri is None) != (places[0] == "bigqueryUri"):
        msg = f"dest has {places[0]} = {fields[places[0]]!r}, which is not one"
        raise InputError(msg)
    return destination


def read_config(config: Any) -> JobConfig:
    """Read the SDK's ``config`` of ``batches.create``, dict or object.

    Raises:
        InputError: an unknown field or an invalid value.
    """
    if config is None:
        return JobConfig()
    fields = fields_of(config)
    if fields is None:
        msg = f"config is of type {type(config).__name__}: give a dict or a CreateBatchJobConfig"
        raise InputError(msg)
    if "httpOptions" in fields:
        msg = "config has http_options: address, version and credentials belong to the Airflow connection"
        raise InputError(msg)
    if unknown := sorted(fields.keys() - {"displayName", "dest", "webhookConfig"}):
        field = as_written(config, unknown[0])
        msg = f"config has an unknown field {field!r}; there are display_name, dest and webhook_config"
        raise InputError(msg)
    name = fields.get("displayName")
    if name is not None and not isinstance(name, str):
        msg = f"display_name is {name!r}, not a string"
        raise InputError(msg)
    return JobConfig(name, read_destination(fields.get("dest")), read_webhook(fields.get("webhookConfig")))


def read_settings(
    config: Any, *, dest: Any = None, display_name: str | None = None, webhook: Any = None
) -> JobConfig:
    """Read settings that may be given as parameters or in ``config``.

    Raises:
        ConfigurationError: one is given in both places.
        InputError: an unknown field or an invalid value.
    """
    inside = read_config(config)
    flat = JobConfig(display_name, read_destination(dest), read_webhook(webhook))
    for name, one, other in zip(("display_name", "dest", "webhook"), flat, inside, strict=True):
        if one is not None and other is not None:
            msg = f"{name} is given twice, flat and in config: keep one."
            raise ConfigurationError(msg)
    return JobConfig(
        flat.display_name or inside.display_name,
        flat.destination or inside.destination,
        flat.webhook or inside.webhook,
    )


def read_webhook(webhook: Any) -> dict[str, Any] | None:
    """Read the SDK's ``WebhookConfig``: an object, a dict in either casing, or just the address.

    Raises:
        InputError: an unknown field, or no address.
    """
    if webhook is None:
        return None
    fields = {"uris": [webhook]} if isinstance(webhook, str) else fields_of(webhook)
    if fields is None or (unknown := sorted(fields.keys() - {"uris", "userMetadata"})):
        wrong = (
            f"is of type {type(webhook).__name__}"
            if fields is None
            else f"has an unknown field {unknown[0]!r}"
        )
        msg = f"webhook {wrong}: give an address, or a WebhookConfig with uris and user_metadata"
        raise InputError(msg)
    uris = fields.get("uris", [])
    uris = [uris] if isinstance(uris, str) else list(uris)
    if "uris" in fields and not uris:
        msg = "webhook has an empty list of uris"
        raise InputError(msg)
    spelled: dict[str, Any] = {"uris": uris} if uris else {}
    if "userMetadata" in fields:
        spelled["userMetadata"] = free(fields["userMetadata"], "userMetadata")
    return spelled


def check_backend(
    source: BatchSource,
    destination: BatchDestination | None,
    backend: Backend,
    *,
    webhook: Any = None,
) -> None:
    """Refuse a source, destination or webhook that the chosen service does not support.

    Raises:
        UnsupportedError: with the reason and the remedy.
    """
    if backend is Backend.GEMINI:
        remedy = "use a connection with backend vertex"
        if source.gcs_uri:
            _refuse(f"read {source.gcs_uri[0]}", backend, f"give a files/… name or a local path, or {remedy}")
        if source.bigquery_uri:
            _refuse(f"read {source.bigquery_uri}", backend, f"export the table to JSONL, or {remedy}")
        if destination:
            place = destination.gcs_uri or destination.bigquery_uri
            _refuse(f"write to {place}", backend, f"set results_uri instead of dest, or {remedy}")
        return
    remedy = "use a connection with backend gemini"
    if source.file_name:
        _refuse(
            f"read {source.file_name}", backend, f"give the file's gs:// address or a local path, or {remedy}"
        )
    if webhook:
        _refuse("call a webhook", backend, f"leave webhook out, or {remedy}")


def default_destination(source: BatchSource, suffix: str) -> BatchDestination | None:
    """Return the SDK's default destination on Vertex AI, beside the input; None if there is no such place.

    Args:
        source: ``gs://x/in.jsonl`` gives ``gs://x/in/dest``, ``bq://p.d.t`` gives ``bq://p.d.t_dest_<suffix>``.
        suffix: makes a table's name unique.
    """
    if any("*" in uri for uri in source.gcs_uri):
        return None  # a pattern for several files, none of which has that name
    if source.gcs_uri and source.gcs_uri[0].endswith(_JSONL):
        return BatchDestination(gcs_uri=f"{source.gcs_uri[0].removesuffix(_JSONL)}/dest")
    if source.bigquery_uri:
        return BatchDestination(bigquery_uri=f"{source.bigquery_uri}_dest_{suffix}")
    return None


def _from_text(text: str) -> BatchDestination:
    if _GCS.fullmatch(text):
        return BatchDestination(gcs_uri=text)
    if _BIGQUERY.fullmatch(text):
        return BatchDestination(bigquery_uri=text)
    msg = f"dest {text!r} is not a destination: give gs://bucket/prefix/ or bq://project[.dataset[.table]]"
    raise InputError(msg)


def _refuse(what: str, backend: Backend, remedy: str) -> None:
    msg = f"{SERVICE_NAMES[backend]} cannot {what}: {remedy}"
    raise UnsupportedError(msg[0].upper() + msg[1:])
