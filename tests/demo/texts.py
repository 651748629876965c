"""Real texts: those that VADER was measured with, from the source distribution of vaderSentiment.

C.J. Hutto and Eric Gilbert (2014): VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CREDIT = "C.J. Hutto and E. Gilbert (2014), in the source distribution of vaderSentiment 3.3.2, MIT License"

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"


@dataclass(frozen=True)
class Text:
    """One sentence somebody wrote."""

    key: str
    text: str


def reviews(distribution: Path) -> Iterator[Text]:
    """Read sentences of product reviews on Amazon.

    Args:
        distribution: The downloaded ``vaderSentiment-*.tar.gz``.
    """
    return _read(distribution, "amazonReviewSnippets_GroundTruth.txt")


def tweets(distribution: Path) -> Iterator[Text]:
    """Read tweets.

    Args:
        distribution: The downloaded ``vaderSentiment-*.tar.gz``.
    """
    return _read(distribution, "tweets_GroundTruth.txt")


def _read(distribution: Path, name: str) -> Iterator[Text]:
    root = distribution.name.removesuffix(".tar.gz")
    with tarfile.open(distribution) as outer:
        archive = _member(outer, f"{root}/{_INNER}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as inner:
        lines = _member(inner, f"hutto_ICWSM_2014/{name}").decode("utf-8").splitlines()
    for line in lines:
        # Number, mean rating of ten people, text.
        key, _, text = line.split("\t")
        yield Text(key, text)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    if found is None:
        message = f"{name} is no file"
        raise FileNotFoundError(message)
    return found.read()
