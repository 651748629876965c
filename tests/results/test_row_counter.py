"""What became of each request: every one counted, and counted once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.models import JobCounts, ResultRow, RowCounts, RowError, RowStatus, Usage
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.counting.unread_rows import count_by_service
from airflow_provider_genai_batch.results.keys.key_set import KeySet
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp, stamped_index


def _row(key: str | None, status: RowStatus = RowStatus.OK, **fields: object) -> PlainRow:
    index = stamped_index(key) if key else None
    return ResultRow(key=key, index=index, status=status, **fields).model_dump(mode="json")


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from([s for s in RowStatus if s is not RowStatus.MISSING]))
    ),
    st.integers(0, 25),
)
def test_counts_sum_to_the_requests_whatever_comes_back(
    came: list[tuple[int, RowStatus]], asked: int
) -> None:
    tally = RowCounter(expected=asked, keyed=True, stamped=True)
    landed = [row for index, status in came if tally.take(row := _row(stamp(index), status))]
    missing = list(tally.missing())
    counts = tally.counts
    assert counts.total == asked == len(landed) + len(missing)
    assert sum(getattr(counts, status.value) for status in RowStatus) == asked
    assert sorted(row["index"] for row in landed + missing) == list(range(asked))
    by_key = Counter(index for index, _ in came)
    assert tally.duplicates == sum(n - 1 for index, n in by_key.items() if index < asked)
    assert tally.unknown == sum(n for index, n in by_key.items() if index >= asked)
    assert tally.rows_read == len(came)


def test_the_first_of_two_rows_counts() -> None:
    tally = RowCounter(expected=1, keyed=True)
    assert tally.take(_row("a"))
    assert not tally.take(_row("a", RowStatus.ERROR))
    assert (tally.counts, tally.duplicates) == (RowCounts(total=1, ok=1), 1)


def test_a_row_without_a_key_is_not_joined_where_all_had_one() -> None:
    tally = RowCounter(expected=2, keyed=True, stamped=True)
    tally.take(_row(stamp(0)))
    assert not tally.take(_row(None))
    assert [row["key"] for row in tally.missing()] == [stamp(1)]
    assert (tally.unjoined, tally.counts) == (1, RowCounts(total=2, ok=1, missing=1))


def test_rows_without_keys_count_where_there_are_none() -> None:
    tally = RowCounter(expected=3)
    assert tally.take(_row(None))
    assert tally.take(_row(None))
    (row,) = tally.missing()
    assert (row["key"], row["status"], tally.counts.total) == (None, "missing", 3)


def test_a_key_that_nobody_stamped_is_unknown_where_all_were() -> None:
    tally = RowCounter(expected=2, keyed=True, stamped=True)
    tally.take(_row(stamp(0)))
    assert not tally.take(_row("stranger"))
    assert [row["key"] for row in tally.missing()] == [stamp(1)]
    assert (tally.unknown, tally.counts) == (1, RowCounts(total=2, ok=1, missing=1))


def test_a_stranger_does_not_stand_for_a_request_when_the_keys_are_known() -> None:
    tally = RowCounter(expected=3, keyed=True, known=["a", "b", "c"])
    assert [tally.take(_row(key)) for key in ("a", "stranger", "c")] == [True, False, True]
    assert [(row["key"], row["index"]) for row in tally.missing()] == [("b", 1)]
    assert (tally.unknown, tally.counts) == (1, RowCounts(total=3, ok=2, missing=1))


@pytest.mark.parametrize(
    ("came", "sure"),
    [
        (["a", "b", "c"], True),
        (["c", "b", "a"], True),
        (["c", "a", "b", "a"], False),
        (["a", "b"], False),
        (["a", "b", "stranger"], False),
        (["a", "b", "c", "stranger"], False),
    ],
)
def test_the_sum_of_the_keys_tells_whether_they_are_those_that_were_asked(
    came: list[str], sure: bool
) -> None:
    key_sum = sum(map(key_digest, "abc")) & MASK
    tally = RowCounter(expected=3, keyed=True, key_sum=key_sum)
    for key in came:
        tally.take(_row(key))
    assert tally.sure is sure


def test_missing_rows_whose_keys_nobody_knows_are_counted_all_the_same() -> None:
    tally = RowCounter(expected=3, keyed=True)
    tally.take(_row("a"))
    assert [row["key"] for row in tally.missing()] == [None, None]
    assert tally.counts == RowCounts(total=3, ok=1, missing=2)


def test_nobody_is_missed_where_the_number_is_not_known() -> None:
    tally = RowCounter(expected=None)
    tally.take(_row("a"))
    assert list(tally.missing()) == []


def test_tokens_are_summed_kind_by_kind() -> None:
    tally = RowCounter(expected=2)
    assert tally.usage is None
    for _ in range(2):
        tally.take(_row(None, usage=Usage(input=1, output=2, cached=3, thoughts=4, total=10)))
    assert tally.usage == Usage(input=2, output=4, cached=6, thoughts=8, total=20)


def test_the_commonest_causes_are_told_with_their_numbers() -> None:
    tally = RowCounter(expected=20)
    for number in range(7):
        for _ in range(number + 1):
            error = RowError(code=3, status="BAD", message=f"cause {number} " + "x" * 500)
            tally.take(_row(None, RowStatus.ERROR, error=error))
    told = tally.causes()
    assert told.startswith("7 x 3 BAD: cause 6 xxx")
    assert told.endswith("; 2 other causes")
    assert len(told) < 1200


def test_a_cause_that_passes_says_so() -> None:
    tally = RowCounter(expected=1)
    message = "Service agents are being provisioned (https://cloud.google.com/…). Please try again in a few minutes."
    tally.take(_row(None, RowStatus.ERROR, error=RowError(code=9, message=message + "x" * 500)))
    assert "this passes: Google sets the project up, ask again in a few minutes" in tally.causes()


def test_millions_of_different_causes_do_not_fill_the_memory() -> None:
    tally = RowCounter(expected=3000)
    for number in range(3000):
        tally.take(_row(str(number), RowStatus.ERROR, error=RowError(message=f"cause {number}")))
    assert len(tally._causes) == 1000


@pytest.mark.parametrize(
    ("jobs", "expected", "counts"),
    [
        (
            [JobCounts(total=5, succeeded=3, failed=1, pending=1)],
            5,
            RowCounts(total=5, ok=3, error=1, missing=1),
        ),
        ([JobCounts(succeeded=3, failed=1)] * 2, None, RowCounts(total=8, ok=6, error=2)),
        ([JobCounts()], None, RowCounts()),
    ],
)
def test_the_services_own_counts_are_taken_where_rows_stay_with_it(
    jobs: list[JobCounts], expected: int | None, counts: RowCounts
) -> None:
    tally = RowCounter(expected=expected)
    count_by_service(tally, jobs)
    assert tally.counts == counts


def test_it_is_known_how_many_rows_of_each_job_came() -> None:
    one, other = RowCounter(expected=2), RowCounter(expected=1)
    for name, keys in (("talks", (0, 1, 1)), ("is silent", ()), ("answers again", (0,))):
        one.begin_again()
        one.begin_job(name)
        for key in keys:
            one.take(_row(stamp(key)))
    other.begin_job("says nothing")
    both = one.absorb(other)
    names = ("talks", "is silent", "answers again", "says nothing", "was not read")
    assert [both.came_of(name) for name in names] == [2, 0, 1, 0, None]
    assert (both.duplicates, both.replaced) == (1, 1)


@pytest.mark.parametrize("matcher", ["stamps", "own keys", "known keys"])
def test_a_good_row_behind_one_that_failed_is_found_and_counts_when_rows_are_taken_again(
    matcher: str,
) -> None:
    keys = [stamp(number) if matcher == "stamps" else f"key-{number}" for number in range(3)]
    answered = KeySet()

    def take() -> tuple[RowCounter, list[PlainRow]]:
        known = keys if matcher == "known keys" else None
        tally = RowCounter(
            expected=3, keyed=True, stamped=matcher == "stamps", known=known, answered=answered
        )
        tally.begin_job("one")
        rows = [
            _row(keys[0], RowStatus.ERROR),
            _row(keys[1]),
            _row(keys[0]),
            _row(keys[2], RowStatus.ERROR),
            _row(keys[1], RowStatus.ERROR),
        ]
        return tally, [row for row in rows if tally.take(row)]

    first, _ = take()
    assert not first.sure
    second, rows = take()
    assert second.sure
    assert [(row["key"], row["status"]) for row in rows] == [
        (keys[1], "ok"),
        (keys[0], "ok"),
        (keys[2], "error"),
    ]
    assert second.counts == RowCounts(total=3, ok=2, error=1)
    assert [second.unanswered(key, index) for index, key in enumerate(keys)] == [False, False, True]
