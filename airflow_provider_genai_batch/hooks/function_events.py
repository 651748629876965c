"""Keeps the outlet events and the label of a decorated function over a deferral, after which it is not called again.

A function may add to the events of its task's outlets, name assets for an alias, and put values into the context for
``map_index_template``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

log = logging.getLogger(__name__)

_LABEL = "genai_batch_map_index"


def events_of(context: Context, outlets: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the current events of outlets as JSON; outlets without events are left out."""
    kept = []
    for name, accessor in _accessors(context, outlets):
        aliased = [_named(event) for event in _alias_events(accessor)]
        partitions = sorted(getattr(accessor, "partition_keys", ()))
        if accessor.extra or aliased or partitions:
            kept.append(
                {"outlet": name, "extra": dict(accessor.extra), "assets": aliased, "partitions": partitions}
            )
    return kept


def give_back(context: Context, outlets: Iterable[Any], kept: Iterable[Mapping[str, Any]]) -> None:
    """Add the kept events to the current ones. If the function was called again, nothing is added twice."""
    by_name = {str(event.get("outlet")): event for event in kept}
    for name, accessor in _accessors(context, outlets):
        event = by_name.get(name, {})
        for key, value in (event.get("extra") or {}).items():
            accessor.extra.setdefault(key, value)
        for asset in event.get("assets") or ():
            if asset not in [_named(there) for there in _alias_events(accessor)]:
                accessor.add(_asset(asset), extra=asset.get("extra") or {})
        if partitions := event.get("partitions"):
            accessor.add_partitions(list(partitions))


def label_of(task: BaseOperator, context: Context) -> str | None:
    """Render ``map_index_template`` with the values that the function put into the context.

    Returns:
        The label. None: there is no template, or it needs later values and is rendered at the end.
    """
    from jinja2 import TemplateError

    template: Any = context.get("map_index_template")
    if template is None:
        return None
    try:
        return str(task.get_template_env().from_string(template).render(context))
    except TemplateError as error:
        log.debug("map_index_template is rendered at the end: %s", error)
        return None


def keep_label(context: Context, label: Any) -> None:
    """Make ``map_index_template`` return a label that was rendered before a deferral."""
    from airflow.providers.common.compat.sdk import context_merge

    if isinstance(label, str):
        context_merge(context, {_LABEL: label, "map_index_template": f"{{{{ {_LABEL} }}}}"})


def _accessors(context: Context, outlets: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and the events of each outlet that can have events."""
    events: Any = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        try:
            yield str(getattr(outlet, "uri", None) or getattr(outlet, "name", outlet)), events[outlet]
        except (KeyError, TypeError):  # outlets may be other things than assets
            log.debug("%r has no event.", outlet)


def _alias_events(accessor: Any) -> Iterable[Any]:
    """Return the events that were added for an alias. Airflow 2 calls assets datasets."""
    name = "asset_alias_events" if hasattr(accessor, "asset_alias_events") else "dataset_alias_events"
    found: Iterable[Any] = getattr(accessor, name, ())
    return found


def _named(event: Any) -> dict[str, Any]:
    """Return an asset that was added for an alias, as JSON."""
    if isinstance(event, Mapping):  # Airflow 2
        return {"uri": event["dest_dataset_uri"], "extra": dict(event["extra"])}
    key = event.dest_asset_key
    own = dict(getattr(event, "dest_asset_extra", None) or {})
    return {"name": key.name, "uri": key.uri, "own": own, "extra": dict(event.extra)}


def _asset(kept: Mapping[str, Any]) -> Any:
    from airflow.providers.common.compat.sdk import Asset

    if "name" not in kept:
        return Asset(kept["uri"])
    return Asset(name=kept["name"], uri=kept["uri"], extra=kept.get("own") or {})
