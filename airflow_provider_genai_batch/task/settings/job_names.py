"""Reads job names in every form in which they are passed on: names, lists, manifests, and rendered templates."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from airflow_provider_genai_batch.exceptions import ManifestError
from airflow_provider_genai_batch.flows.submission.own_jobs import APPEARS_WITHIN
from airflow_provider_genai_batch.models import Manifest

_TAKEN = "give a job name, a list of them, or the XCom of an operator of this package"


_NONE = (
    "This is None instead of a manifest: the task that should have returned it has not run, was skipped or has "
    f"do_xcom_push=False; {_TAKEN}."
)


def job_names(value: Any, *, or_none: bool = False) -> list[str]:
    """Read names of jobs, each once, in order.

    Args:
        value: ``batches/…`` or ``projects/…/batchPredictionJobs/…``; a list of them; a manifest (dict), or a
            list of those from a mapped task; or any of these as the text of a rendered template.
        or_none: whether there may be no job, as in the manifest of a task that needed none. An empty text is refused
            even then.

    Raises:
        ManifestError: the value is none of these, or names no job.
    """
    names = list(dict.fromkeys(_names(value)))
    is_blank = isinstance(value, str) and not value.strip()
    if not names and (is_blank or not or_none):
        msg = f"There is no job to act on; {_TAKEN}."
        raise ManifestError(msg)
    return names


def appear_until(value: Any) -> float:
    """Return until when the jobs of a manifest may be too new to be found by name.

    Args:
        value: a value for `job_names`; bare names do not say when their jobs were created.

    Returns:
        Seconds since the epoch by the service's clock; 0: unknown, or there is no manifest.
    """
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        value = _from_text(value)
    if isinstance(value, (list, tuple)):
        return max(map(appear_until, value), default=0.0)
    if not isinstance(value, (Manifest, Mapping)):
        return 0.0
    created = (value if isinstance(value, Manifest) else read_manifest(value)).create_time
    return 0.0 if created is None else created.timestamp() + APPEARS_WITHIN


def read_manifest(value: Any) -> Manifest:
    """Read the XCom of an operator of this package.

    Raises:
        ManifestError: it is none, or of another version; the message names the field.
    """
    if isinstance(value, str):
        value = _from_text(value)
    if value is None:
        raise ManifestError(_NONE)
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        msg = f"This is not a manifest ({where}: {first['msg']}); {_TAKEN}."
        raise ManifestError(msg) from error


def _names(value: Any) -> list[str]:
    if isinstance(value, Manifest):
        return list(value.job_names)
    if isinstance(value, Mapping):
        return list(read_manifest(value).job_names)
    if isinstance(value, str):
        text = value.strip()
        if text == "None":  # as a template renders it
            raise ManifestError(_NONE)
        return _names(_from_text(text)) if text[:1] in ("{", "[", "(") else [text] if text else []
    if isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, bytes)):
        return [name for item in value for name in _names(item)]
    if value is None:
        raise ManifestError(_NONE)
    msg = f"A value of type {type(value).__name__} does not name a job; {_TAKEN}."
    raise ManifestError(msg)


def _from_text(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):  # templates render Python values as Python writes them
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    msg = f"{text[:60]!r} cannot be read as a manifest or a list of job names; {_TAKEN}."
    raise ManifestError(msg)
