"""Finds existing answers for an input, or reads what an earlier attempt found, before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.models import Manifest, Reuse
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.files.files import spool
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.reuse import side_file
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand, check_can_be_reduced
from airflow_provider_genai_batch.task.reuse.earlier import addresses, earlier_rows
from airflow_provider_genai_batch.task.reuse.find import Reused, Wanted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """The search for existing answers to the requests of an input.

    Attributes:
        results_uri: the task's own.
        reuse: names earlier results; None: none are used.
        dedupe: whether equal requests are sent once.
        wanted: which earlier rows are good enough, apart from their age.
        manifest: returns the manifest of the task's latest earlier run, if there is one.
        read_manifest: reads a manifest.
        keep: whether to keep what is found in a file beside the results, because jobs will be submitted.
        other_models: see `AtHand`.
    """

    results_uri: str
    reuse: Reuse | None
    dedupe: bool
    wanted: Wanted
    manifest: Callable[[], Mapping[str, Any] | None]
    read_manifest: Callable[[Any], Manifest]
    keep: bool = True
    other_models: frozenset[str] = frozenset()

    def left_by(self, client: GenAIBatchClient, identity: Identity, stack: ExitStack) -> AtHand | None:
        """Read what was found when the input was submitted; None if that is not known any more.

        Raises:
            CallError: a call failed; a later attempt may succeed.
        """
        place = side_file.place_of(self.results_uri, identity)
        found = side_file.read(place, client, stack, None)
        if found is not None:
            found.other_models = self.other_models
            if found.dedupe:
                found.find_equal()
        return found

    def begin(
        self, client: GenAIBatchClient, prepared: PreparedInput, identity: Identity, stack: ExitStack
    ) -> AtHand:
        """Search, or use what an earlier attempt found, and keep it for later attempts.

        Raises:
            UnsupportedError: requests cannot be left out of this input.
            InputError: earlier results exist and cannot be read, or do not exist.
            ConfigurationError: what was found cannot be kept beside the results.
            CallError: a call failed; a later attempt may succeed.
        """
        check_can_be_reduced(prepared, "reuse" if self.reuse else "dedupe")
        assert prepared.ledger is not None  # noqa: S101 - it was asked for
        place = side_file.place_of(self.results_uri, identity)
        found = side_file.read(place, client, stack, prepared.requests) if self.keep else None
        if found is None:
            found = AtHand(stack, prepared.ledger, stack.enter_context(spool()), found_anew=True)
            found.dedupe = self.dedupe
            if self.reuse is not None:
                self._find(client, found, self.reuse)
            if self.keep:
                self._keep(place, client, found)
        found.other_models = self.other_models
        if found.dedupe is not self.dedupe:
            log.warning(
                "An earlier attempt began with dedupe=%s. Its jobs count, so this attempt uses it too.",
                found.dedupe,
            )
        equal = found.find_equal() if found.dedupe else 0
        if not found.dedupe and (repeats := found.repeats):
            log.info(
                "Requests that are equal to another one: %d. dedupe=True would send them only once.", repeats
            )
        log.info(
            "Of %d requests, earlier results answer %d%s. To be submitted: %d.",
            found.ledger.rows,
            len(found.places),
            f", and {equal} are equal to another one" if found.dedupe else "",
            found.left,
        )
        return found

    def discard(self, client: GenAIBatchClient, identity: Identity) -> None:
        """Delete what was kept, because the rows have landed."""
        side_file.discard(side_file.place_of(self.results_uri, identity), client)

    def _find(self, client: GenAIBatchClient, found: AtHand, reuse: Reuse) -> None:
        where, missing = addresses(client, reuse, self.results_uri, self.manifest, self.read_manifest)
        reused = Reused(found.rows)
        wanted = self.wanted if reuse.max_age is None else self.wanted.not_before(clock.now() - reuse.max_age)
        for uri in where:
            try:
                reused.take(uri, earlier_rows(client, uri), found.ledger, found.digests(), wanted)
            except FileNotFoundError:
                missing.append(uri)
        if (missing or not where) and not reuse.missing_ok:
            named = ", ".join(missing) or "any that reuse names"
            msg = (
                f"Earlier results are not there: {named}. Nothing was sent and nothing is billed. Name others. To "
                "submit all requests, leave reuse out, or give it missing_ok=True."
            )
            raise InputError(msg)
        found.rows.flush()
        found.places = reused.places
        if missing:
            log.info("There are no earlier results at %s.", ", ".join(missing))
        for uri, rows in reused.by_uri.items():
            log.info("Rows of %s that are used again: %d.", uri, rows)
        if reused.unfit:
            log.info(
                "Earlier answers that do not meet today's settings: %d. Their requests will be submitted.",
                reused.unfit,
            )

    def _keep(self, place: str, client: GenAIBatchClient, found: AtHand) -> None:
        try:
            side_file.write(place, client, found)
        except OSError as error:
            msg = (
                f"What earlier results answer cannot be kept beside them, at {place}: {error}. Nothing was submitted "
                "and nothing is billed. Give results_uri an address that the task may write beside."
            )
            raise ConfigurationError(msg) from error
