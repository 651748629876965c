"""Templates in ``src``: addresses are rendered, requests never. Fields of objects are rendered like those of dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.address import address, is_path
from airflow_provider_genai_batch.task.settings.known import is_object, stands_for_more

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object

_ADDRESS = "gs://"
"""The prefix of addresses in a list. Other strings in it are requests, and may look like the name of a file."""
_ADDRESS_FIELDS = frozenset(
    ("gcs_uri", "gcsUri", "bigquery_uri", "bigqueryUri", "file_name", "fileName", "path", "format")
)
_QUERY_FIELDS = frozenset(("conn_id", "sql", "parameters"))
"""Fields of an `SqlSource`. Like an address, its text is the DAG author's own."""


class RendersAddresses(_Base):
    """Base of operators with a ``src``. It must come before Airflow's base in the list of bases."""

    src: Any
    asks_for: Any = None
    """Shown among the templates, but not rendered."""

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render as Airflow does, but never render requests: they are data, and may contain anything."""

        def render(value: Any) -> Any:
            return super(RendersAddresses, self).render_template(value, context, *args, **kwargs)

        if content is self.asks_for:
            return content
        if content is self.src and (isinstance(content, (list, tuple, dict)) or is_object(content)):
            return render_addresses(content, render)
        if content is self.src and is_path(content):
            text = render(address(content))
            return type(content)(text) if isinstance(content, PurePath) else text
        if is_object(content):
            return _with_fields(content, lambda value: self.render_template(value, context, *args, **kwargs))
        return render(content)


def render_addresses(src: Any, render: Callable[[Any], Any]) -> Any:
    """Render the addresses in a list, dict or object given as ``src``, and the outputs of upstream tasks."""
    if isinstance(src, Mapping):
        return {
            name: render(value) if name in _ADDRESS_FIELDS or stands_for_more(value) else value
            for name, value in src.items()
        }
    if is_object(src):
        return _with_fields(src, render, _ADDRESS_FIELDS | _QUERY_FIELDS)
    rendered = [
        render(item)
        if stands_for_more(item) or (isinstance(item, str) and item.startswith(_ADDRESS))
        else item
        for item in src
    ]
    return tuple(rendered) if isinstance(src, tuple) else rendered


def rendered_parts(src: Any) -> list[Any]:
    """Return the parts of a ``src`` that `render_addresses` would render; the others are requests, which are data."""
    if isinstance(src, str):
        return [src]
    parts: list[Any] = []

    def note(value: Any) -> Any:
        parts.append(value)
        return value

    if isinstance(src, (list, tuple, Mapping)) or is_object(src):
        render_addresses(src, note)
    return parts


def _with_fields(value: Any, render: Callable[[Any], Any], names: frozenset[str] | None = None) -> Any:
    """Return a copy with its fields (or only the named ones) rendered; the object in the DAG file does not change."""
    given: Sequence[str] = [name for name in value.model_fields_set if names is None or name in names]
    return value.model_copy(update={name: render(getattr(value, name)) for name in given})
