"""The side file of a task that reuses answers: what was found, for the landing of its rows and for later attempts.

It is beside the results, from before the first job until the rows have landed. So an attempt after a crash leaves out
the same requests, even if the earlier results have changed since then: the task's own rows may have replaced them.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from shutil import copyfileobj
from typing import Any, BinaryIO

from msgspec import DecodeError
from msgspec.json import decode, encode

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, NotFound
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.files.files import published, read_chunks, remove, spool
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand

log = logging.getLogger(__name__)

_VERSION = 1
_CHUNK = 1024 * 1024


def place_of(results_uri: str, identity: Identity) -> str:
    """Return the address of the side file of an input."""
    return f"{results_uri}.asked-{identity.tag}"


def write(uri: str, client: GenAIBatchClient, at_hand: AtHand) -> None:
    """Write the side file.

    Raises:
        OSError: it cannot be written there.
    """
    ledger = at_hand.ledger.flushed()
    at_hand.rows.flush()
    head = {
        "version": _VERSION,
        "dedupe": at_hand.dedupe,
        "requests": at_hand.ledger.rows,
        "ledger": ledger.seek(0, 2),
        "rows": at_hand.rows.seek(0, 2),
    }
    with published(uri, client) as draft:
        out = draft.stream
        assert out is not None  # noqa: S101 - published always opens one
        out.write(encode(head) + b"\n")
        for stream in (ledger, at_hand.rows):
            stream.seek(0)
            copyfileobj(stream, out, _CHUNK)


def read(uri: str, client: GenAIBatchClient, stack: ExitStack, requests: int | None) -> AtHand | None:
    """Read what an earlier attempt found; None if there is no such file, or it is incomplete.

    Args:
        uri: the address of the file.
        client: the client of the task's connection.
        stack: closes what is opened.
        requests: the number of requests of the input; None: not known.

    Raises:
        CallError: a call failed; a later attempt may succeed.
    """
    whole = stack.enter_context(spool())
    try:
        whole.writelines(read_chunks(uri, client))
    except NotFound:
        return None
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    size = whole.tell()
    whole.seek(0)
    try:
        head: dict[str, Any] = decode(next(iter(whole), b""))
        begin = whole.tell()
        good = head["version"] == _VERSION and begin + head["ledger"] + head["rows"] == size
        good = good and requests in (None, head["requests"]) and isinstance(head["dedupe"], bool)
    except (DecodeError, ValueError, KeyError, TypeError):
        good = False
    if not good:
        log.warning("%s is incomplete, so earlier results are searched again.", uri)
        return None
    parts = []
    for length in (head["ledger"], head["rows"]):
        part = stack.enter_context(spool())
        _copy(whole, part, length)
        parts.append(part)
    at_hand = AtHand(stack, RequestLedger(parts[0], head["requests"]), parts[1], dedupe=head["dedupe"])
    at_hand.read_places()
    return at_hand


def discard(uri: str, client: GenAIBatchClient) -> None:
    """Delete the file after the rows have landed. A failure is only logged: a file that stays does no harm."""
    try:
        remove(uri, client)
    except OSError as error:
        log.warning("%s is not needed any more, and could not be deleted: %s", uri, error)


def _copy(source: BinaryIO, out: BinaryIO, length: int) -> None:
    while length > 0:
        chunk = source.read(min(length, _CHUNK))
        out.write(chunk)
        length -= len(chunk)
    out.flush()
