"""A packed map finds what was put into it, whether all of it is in memory or only some."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from airflow_provider_genai_batch.results.keys.packed_map import PackedMap


@pytest.mark.parametrize("most_in_memory", [1_000_000, 0], ids=["in memory", "on disk"])
@pytest.mark.parametrize("rows", [0, 1, 15, 70, 9_000])
def test_every_number_of_a_digest_is_found_and_no_other(most_in_memory: int, rows: int) -> None:
    chance = random.Random(rows)
    edges = [b"\x00" * 16, b"\xff" * 16, b"\x00" * 7 + b"\x01" * 9]
    digests = [chance.choice(edges) if chance.random() < 0.02 else chance.randbytes(16) for _ in range(rows)]
    digests[70:140] = [chance.randbytes(16)] * len(digests[70:140])  # more than a block of one
    expected: defaultdict[bytes, list[int]] = defaultdict(list)
    with PackedMap(most_in_memory) as packed:
        for number, digest in enumerate(digests):
            packed.add_all([(digest, number)])
            expected[digest[:8]].append(number)
        for digest in [*digests[:300], *edges, *(chance.randbytes(16) for _ in range(300))]:
            assert packed.get(digest) == expected.get(digest[:8], [])
        assert [*packed] == sorted((head, number) for head, found in expected.items() for number in found)
        if most_in_memory:
            assert packed.repeats == rows - len(expected)
