"""The user's objects in Cloud Storage, read as one input."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.pages import Pages
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.wire.lines.framing import BOM


class Objects:
    """Several objects as one stream; a missing newline at the end of an object is added.

    Args:
        client: the client of the task's connection.
        uris: the addresses of the objects.

    Attributes:
        ends: the position in the stream where each object ends, in bytes.
        touched: whether an object had a byte order mark. It is removed, because it has no place in mid-stream.
    """

    def __init__(self, client: GenAIBatchClient, uris: Sequence[str]) -> None:
        self._client, self._uris = client, uris
        self.ends: list[int] = []
        self.touched = False
        self._before: list[int] = []

    def chunks(self) -> Iterator[bytes]:
        """Stream their bytes."""
        size = lines = 0
        for uri in self._uris:
            self._before.append(lines)
            last = b"\n"
            for chunk in self._unmarked(uri):
                last = chunk or last
                size += len(chunk)
                lines += chunk.count(b"\n")
                yield chunk
            if not last.endswith(b"\n"):
                size += 1
                lines += 1
                yield b"\n"
            self.ends.append(size)

    def place(self, number: int) -> str:
        """Name a line of the stream by its object and its line number there."""
        which = bisect_left(self._before, number) - 1
        return f"line {number - self._before[which]} of {self._uris[which]}"

    def _unmarked(self, uri: str) -> Iterator[bytes]:
        chunks = self._client.download(uri)
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(BOM):
                break
        self.touched = self.touched or head.startswith(BOM)
        yield head.removeprefix(BOM)
        yield from chunks


def matcher(pattern: str) -> Callable[[str], object]:
    """Return a function that says whether an address matches; ``*`` matches any text without a slash."""
    return re.compile(re.escape(pattern).replace(r"\*", "[^/]*")).fullmatch


def is_directory(uri: str) -> bool:
    """Whether an address is a directory: it ends with a slash, or has the name of a Vertex AI output directory."""
    name = uri.rpartition("/")[2]
    return not name or (name.startswith("prediction-") and not name.endswith(".jsonl"))


def pattern_of(uri: str) -> str:
    """Return the pattern of the objects that are read in a directory; any other address is returned unchanged."""
    return f"{uri.rstrip('/')}/*.jsonl" if "*" not in uri and is_directory(uri) else uri


def expanded(client: GenAIBatchClient, pattern: str) -> list[str]:
    """Return the objects that a pattern matches, or the ``.jsonl`` objects directly in a directory.

    ``*`` does not match a slash, so rows that a job wrote below its input do not become input of the next attempt.

    Raises:
        InputError: no object matches.
    """
    pattern = pattern_of(pattern)
    if "*" not in pattern:
        return [pattern]
    found = listed(client, pattern)
    if not found:
        msg = f"No object matches {pattern}."
        raise InputError(msg)
    return found


def listed(client: GenAIBatchClient, pattern: str) -> list[str]:
    """Return the objects that a pattern with ``*`` matches; there may be none.

    Raises:
        InputError: the list cannot be read to its end.
    """
    prefix = pattern.split("*", 1)[0]
    matches = matcher(pattern)
    found: list[str] = []
    pages = Pages(f"objects below {prefix}")
    while not pages.over:
        objects, token = client.perform(client.calls.list_objects(prefix, page_token=pages.token))
        pages.turn(token)
        found += [o.uri for o in objects if matches(o.uri)]
    if pages.in_circles:
        msg = (
            f"The list of objects below {prefix} cannot be read to its end, because it repeats itself: it is not "
            f"known which objects match {pattern}. Nothing was sent. Give the objects one by one."
        )
        raise InputError(msg)
    return found
