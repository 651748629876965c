"""Templates in ``src``: addresses are rendered, requests never. In objects fields are rendered as in dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object

_ADDRESS = "gs://"
"""Begins the only addresses that a list may hold; a prompt may begin with the name of a file."""
_ADDRESS_FIELDS = frozenset(
    ("gcs_uri", "gcsUri", "bigquery_uri", "bigqueryUri", "file_name", "fileName", "path", "format")
)
_MODELS = ("google.genai.", "airflow_provider_genai_batch.models.source")
"""Begin the modules of objects whose fields are read as those of a dict. Others belong to the user's functions."""


class RendersAddresses(_Base):
    """An operator with a ``src``; comes before Airflow's base among its bases."""

    src: Any

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render as Airflow does, but leave requests alone: they are data, and may hold anything."""

        def render(value: Any) -> Any:
            return super(RendersAddresses, self).render_template(value, context, *args, **kwargs)

        if content is self.src and (isinstance(content, (list, tuple, dict)) or _is_object(content)):
            return render_addresses(content, render)
        if _is_object(content):
            return _with_fields(content, lambda value: self.render_template(value, context, *args, **kwargs))
        return render(content)


def render_addresses(src: Any, render: Callable[[Any], Any]) -> Any:
    """Render the addresses in a list, dict or object given as ``src``, and what upstream tasks stand for."""
    if isinstance(src, Mapping):
        return {
            name: render(value) if name in _ADDRESS_FIELDS or _stands_for_more(value) else value
            for name, value in src.items()
        }
    if _is_object(src):
        return _with_fields(src, render, _ADDRESS_FIELDS)
    rendered = [
        render(item)
        if _stands_for_more(item) or (isinstance(item, str) and item.startswith(_ADDRESS))
        else item
        for item in src
    ]
    return tuple(rendered) if isinstance(src, tuple) else rendered


def _is_object(value: Any) -> bool:
    """Whether it is an object of google-genai's, or a noun of this package: known by its manners, as it is read."""
    kind = type(value)
    return kind.__module__.startswith(_MODELS) and callable(getattr(kind, "model_copy", None))


def _with_fields(value: Any, render: Callable[[Any], Any], names: frozenset[str] | None = None) -> Any:
    """Return a copy with its fields rendered, or those of these names; the object in the DAG file stays as it is."""
    given: Sequence[str] = [name for name in value.model_fields_set if names is None or name in names]
    return value.model_copy(update={name: render(getattr(value, name)) for name in given})


def _stands_for_more(value: Any) -> bool:
    """Whether it is the output of another task, as Airflow's own rendering tells it."""
    return callable(getattr(value, "resolve", None)) and not hasattr(value, "__fspath__")
