"""Templates in ``src``: addresses are rendered, requests never."""

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


class RendersAddresses(_Base):
    """An operator with a ``src``; comes before Airflow's base among its bases."""

    src: Any

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render as Airflow does, but leave requests alone: they are data, and may hold anything."""
        render = super().render_template
        if content is self.src and isinstance(content, (list, tuple, dict)):
            return render_addresses(content, lambda value: render(value, context, *args, **kwargs))
        return render(content, context, *args, **kwargs)


def render_addresses(src: Sequence[Any] | Mapping[str, Any], render: Callable[[Any], Any]) -> Any:
    """Render the addresses in a list or dict given as ``src``, and what upstream tasks stand for."""
    if isinstance(src, Mapping):
        return {
            name: render(value) if name in _ADDRESS_FIELDS or _stands_for_more(value) else value
            for name, value in src.items()
        }
    rendered = [
        render(item)
        if _stands_for_more(item) or (isinstance(item, str) and item.startswith(_ADDRESS))
        else item
        for item in src
    ]
    return tuple(rendered) if isinstance(src, tuple) else rendered


def _stands_for_more(value: Any) -> bool:
    """Whether it is the output of another task, as Airflow's own rendering tells it."""
    return callable(getattr(value, "resolve", None)) and not hasattr(value, "__fspath__")
