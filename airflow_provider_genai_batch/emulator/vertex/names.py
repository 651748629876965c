"""Resource names: replies carry project numbers, whatever the caller wrote."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.model import names

_MODEL = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?publishers/(?P<publisher>[^/]+)/models/(?P<base>[^/]+)"
    r"|projects/[^/]+/locations/[^/]+/models/(?P<tuned>\d+(?:@[\w-]+)?)"
    r"|models/(?P<short>\d+(?:@[\w-]+)?)"
)
_DIGITS = 10**12


@dataclass(frozen=True)
class Parent:
    """A project and a location."""

    project: str
    location: str

    def __str__(self) -> str:
        """Return the parent's resource name, with the project's number."""
        return f"projects/{project_number(self.project)}/locations/{self.location}"


def project_number(project: str) -> str:
    """Return a project's number: itself, or one that depends on the id only."""
    if project.isdigit():
        return project
    digest = hashlib.sha256(project.encode()).digest()
    return str(10**11 + int.from_bytes(digest[:8], "big") % (_DIGITS - 10**11))


def check_model(model: object) -> str:
    """Return a model's name if there is such a model.

    Raises:
        ApiError: 400 for what is no model name, 404 for a model that does not exist.
    """
    found = _MODEL.fullmatch(model) if isinstance(model, str) else None
    if found is None or not isinstance(model, str):
        message = f"Invalid resource field value in the request: model '{model}'."
        raise ApiError(400, message)
    base, publisher = found["base"], found["publisher"]
    known = True
    if publisher == "google":
        known = names.exists(base)
    elif publisher is not None:
        # Google's client turns endpoints/55 into a publisher that does not exist.
        known = publisher != "endpoints" and not names.says_unknown(base)
    if not known:
        message = (
            f"Publisher Model `{model}` was not found or your project does not have access to it. Please "
            "ensure you are using a valid model version."
        )
        raise ApiError(404, message)
    return model
