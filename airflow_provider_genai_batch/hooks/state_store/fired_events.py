"""Keeps the events that an asset watcher's trigger has fired in the asset's state store (Airflow 3.3 and later)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.hooks.state_store.state_store import StateStore, StoreError
from airflow_provider_genai_batch.models.jobs.identity import digest

log = logging.getLogger(__name__)

SETTLED = 5.0
"""Seconds after which an event counts as stored in Airflow's database. A name kept earlier could hide a lost event."""
MOST_NAMES = 1000
"""The most names that are kept, because the store is not meant for large values."""


class FiredEvents:
    """Names of jobs for which a trigger has fired. They survive a restart of the trigger if Airflow has a store.

    Args:
        store: the trigger's ``asset_state_store``, or None.
        watch: JSON that distinguishes this trigger from others of the same asset.
    """

    def __init__(self, store: Any, watch: Mapping[str, Any]) -> None:
        self._store = None if store is None else StateStore(store)
        self._key = f"genai_batch_{digest(watch)[:16]}"
        self._names: dict[str, float] = {}
        self._kept: list[str] = []
        self._warned = False

    async def recall(self) -> Collection[str]:
        """Return the names from before a restart; none if Airflow has no store or does not answer."""
        if self._store is None:
            return ()
        try:
            names = await self._store.aget(self._key)
        except StoreError as error:  # then some jobs fire again, which watchers must tolerate
            log.warning("Earlier events are not known, so events may fire again: %s", error)
            self._store = None
            return ()
        self._kept = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        self._kept = self._kept[-MOST_NAMES:]
        self._names = dict.fromkeys(self._kept, 0.0)
        return self._kept

    def add(self, name: str) -> None:
        """Note that an event has been sent."""
        self._names[name] = clock.time()

    async def keep(self, of_late: Collection[str]) -> None:
        """Record the jobs that must not fire again, as far as the job list still shows them."""
        self._names = {name: at for name, at in self._names.items() if name in of_late}
        settled = [name for name, at in self._names.items() if clock.time() - at >= SETTLED][-MOST_NAMES:]
        if self._store is None or settled == self._kept:
            return
        try:
            await self._store.aset(self._key, settled)
        except StoreError as error:  # as above
            level = logging.DEBUG if self._warned else logging.WARNING
            log.log(level, "What has fired cannot be recorded, so events may fire again: %s", error)
            self._warned = True
        else:
            self._kept, self._warned = settled, False
