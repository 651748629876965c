"""Workloads: the tokens of each row, drawn anew for each seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

Tokens = tuple[int, int, int]
"""Of a prompt, of its answer, and of thoughts."""
Draw = Callable[[random.Random, float], Tokens]
"""Draws the tokens of a row that stands at a part (0 to 1) of the input."""


def _long(chance: random.Random, median: float, sigma: float, most: int) -> int:
    """Draw from a log-normal distribution, cut off as `maxOutputTokens` or the length of a column does it."""
    return max(1, min(most, round(chance.lognormvariate(math.log(median), sigma))))


def labels(chance: random.Random, _at: float) -> Tokens:
    """Texts of some length, and a word or two for each by a schema."""
    return 60 + _long(chance, 90, 0.5, 4000), chance.randint(5, 9), 0


def summaries(chance: random.Random, _at: float) -> Tokens:
    """Texts of very different lengths, whose summaries grow with them."""
    asked = _long(chance, 600, 0.9, 30_000)
    return 40 + asked, _long(chance, 30 + asked**0.6, 0.3, 2000), 0


def sorted_texts(chance: random.Random, at: float) -> Tokens:
    """The same, and the input is sorted by length."""
    asked = round(100 * math.exp(4 * at) * chance.uniform(0.8, 1.25))
    return 40 + asked, _long(chance, 30 + asked**0.6, 0.3, 2000), 0


def embeddings(chance: random.Random, _at: float) -> Tokens:
    """Texts, and no tokens for answers."""
    return _long(chance, 120, 0.7, 2048), 0, 0


def thoughts(chance: random.Random, _at: float) -> Tokens:
    """Short answers, and thoughts that are sometimes ten times as long as usual."""
    return _long(chance, 150, 0.4, 4000), _long(chance, 80, 0.4, 1000), _long(chance, 700, 1.0, 24_576)


def long_tail(chance: random.Random, _at: float) -> Tokens:
    """Media and text: one of twenty rows is a film or a long document, of fifty times the others' tokens."""
    if chance.random() < 0.05:
        return _long(chance, 15_000, 0.5, 100_000), _long(chance, 700, 0.5, 4000), 0
    return _long(chance, 300, 0.4, 4000), _long(chance, 60, 0.5, 1000), 0


WORKLOADS: dict[str, Draw] = {
    "labels by a schema": labels,
    "summaries": summaries,
    "summaries, sorted by length": sorted_texts,
    "embeddings": embeddings,
    "thoughts": thoughts,
    "a long tail": long_tail,
}
