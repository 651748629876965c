"""Log lines about rows, requests and parts of answers that did not land."""

from __future__ import annotations

import logging

from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.wire.answers import chat as chat_answers
from airflow_provider_genai_batch.wire.answers import claude as claude_answers
from airflow_provider_genai_batch.wire.answers import gemini as gemini_answers

log = logging.getLogger(__name__)
_LEFT_OUT = gemini_answers.LEFT_OUT | claude_answers.LEFT_OUT | chat_answers.LEFT_OUT


def tell_what_did_not_land(tally: RowCounter) -> None:
    """Log which rows did not land, which requests have no row, and which parts of answers are in no row."""
    for kind, count, noun, what in (
        ("duplicates", tally.duplicates, "row", "dropped because the key came before"),
        ("unjoined", tally.unjoined, "row", "without a key, so not joined to a request"),
        ("unknown", tally.unknown, "row", "dropped because no request has the key"),
        ("missing", tally.counts.missing, "request", "without a row"),
    ):
        keys = tally.samples.get(kind)
        more = f" and {count - len(keys)} more" if keys and count > len(keys) else ""
        if count:
            named = f": {', '.join(keys)}{more}" if keys else ""
            log.warning("%s %s%s.", number_of(count, noun), what, named)
    if tally.dropped:
        kinds = ", ".join(f"{number} x {kind}" for kind, number in tally.dropped.most_common())
        level = logging.INFO if tally.dropped.keys() <= _LEFT_OUT else logging.WARNING
        files = "inlineData" in tally.dropped and "media_uri takes pictures and sound (inlineData) as files; "
        said = (
            'These fields of the answers are not in the rows: %s. %skeep="response" lands them in the rows.'
        )
        log.log(level, said, kinds, files or "")
