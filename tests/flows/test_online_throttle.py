"""When the next call may be sent, on a clock that is passed in."""

from __future__ import annotations

import heapq
import math

from airflow_provider_genai_batch.flows.online.refusal import Meaning, Refusal
from airflow_provider_genai_batch.flows.online.throttle import Throttle, Ticket

MINUTE = Refusal(Meaning.MINUTE, 45.0, 600)
HINT = Refusal(Meaning.MINUTE, 45.0)
BUSY = Refusal(Meaning.BUSY)


def steady(start: int = 8, most: int = 128) -> Throttle:
    return Throttle(start, most, jitter=lambda: 0.5)


def filled(throttle: Throttle, now: float = 0.0, tokens: float = 1.0) -> list[Ticket]:
    tickets = []
    while throttle.wait(now) == 0:
        tickets.append(throttle.sent(tokens, now))
    return tickets


def test_calls_grow_by_one_a_success_until_the_first_refusal_and_never_over_the_most():
    throttle = steady(2, 5)
    for ticket in filled(throttle):
        throttle.answered(ticket)
    assert throttle.limit == 4
    for ticket in filled(throttle):
        throttle.answered(ticket)
    assert (throttle.limit, throttle.in_flight) == (5, 0)


def test_long_turns_of_the_event_loop_let_fewer_calls_go_on_and_short_ones_more_again():
    throttle = steady(100)
    tickets = filled(throttle)
    throttle.turned(0.1)
    assert throttle.limit == 70
    assert throttle.wait(0.0) == math.inf
    for _ in range(20):
        throttle.turned(0.1)
    assert throttle.limit == 70, "there are too many under way; whether 70 are too many is not known yet"
    for ticket in tickets:
        throttle.answered(ticket)
    assert len(filled(throttle)) == 70
    for _ in range(400):
        throttle.turned(0.001)
    assert throttle.limit == 128


def test_calls_grow_by_one_a_round_after_a_refusal():
    throttle = steady(20)
    first, *rest = filled(throttle)
    throttle.refused(first, HINT, 0.0)
    assert throttle.limit == 14
    for ticket in rest[:14]:
        throttle.answered(ticket)
    assert throttle.limit == 14
    throttle.answered(rest[14])
    assert throttle.limit == 15


def test_refusals_of_calls_that_were_sent_before_a_cut_cut_no_more():
    throttle = steady(10)
    for ticket in filled(throttle):
        throttle.refused(ticket, HINT, 0.0)
    assert throttle.limit == 7


def test_one_call_may_always_go_on():
    throttle = steady(1)
    for now in range(0, 1000, 100):
        (ticket,) = filled(throttle, float(now))
        throttle.refused(ticket, HINT, float(now))
    assert throttle.limit == 1


def test_the_gate_is_shut_for_everybody_for_as_long_as_the_service_asks_and_a_little_more():
    throttle = steady()
    throttle.refused(throttle.sent(1.0, 0.0), HINT, 10.0)
    assert throttle.wait(10.0) == 46.0
    assert throttle.wait(55.0) == 1.0
    assert throttle.wait(56.0) == 0.0


def test_a_shorter_wait_does_not_open_a_gate_that_is_shut_for_longer():
    throttle = steady()
    one, other = throttle.sent(1.0, 0.0), throttle.sent(1.0, 0.0)
    throttle.refused(one, HINT, 0.0)
    throttle.refused(other, Refusal(Meaning.MINUTE, 1.0), 0.0)
    assert throttle.wait(0.0) == 46.0


def test_a_refusal_of_a_row_says_nothing_about_capacity():
    throttle = steady()
    throttle.refused(throttle.sent(1.0, 0.0), Refusal(Meaning.ROW), 0.0)
    assert (throttle.limit, throttle.wait(0.0), throttle.in_flight) == (8, 0.0, 0)


def test_one_call_without_capacity_cuts_nothing_and_many_do():
    throttle = steady()
    throttle.refused(throttle.sent(1.0, 0.0), BUSY, 0.0)
    assert throttle.limit == 8
    for _ in range(4):
        throttle.refused(throttle.sent(1.0, 0.0), BUSY, 0.0)
    assert throttle.limit == 5


def test_refusals_without_a_word_shut_the_gate_for_longer_each_time_until_an_answer():
    throttle, now, waits = steady(1), 0.0, []
    for _ in range(5):
        throttle.refused(throttle.sent(1.0, now), Refusal(Meaning.UNCLEAR), now)
        waits.append(throttle.wait(now))
        now += waits[-1]
    assert waits == sorted(waits)
    assert waits[-1] >= 8
    throttle.answered(throttle.sent(1.0, now))
    throttle.refused(throttle.sent(1.0, now), Refusal(Meaning.UNCLEAR), now)
    assert throttle.wait(now) <= 1.0


def test_a_limit_that_a_refusal_names_is_used_in_each_minute_from_then_on_and_not_exceeded():
    throttle = steady(100)
    throttle.refused(throttle.sent(90.0, 0.0), MINUTE, 0.0)
    sent, now = dict.fromkeys(range(3), 0.0), 46.0
    while now < 46.0 + 180.0:
        if (wait := throttle.wait(now)) == 0:
            throttle.answered(throttle.sent(30.0, now))
            sent[int((now - 46.0) // 60)] += 30.0
        now += max(wait, 0.01)
    assert all(570 <= tokens <= 600 for tokens in sent.values()), (
        "nineteen of twenty, and what one call is more"
    )


def test_a_minute_is_settled_by_what_answers_say():
    throttle = steady()
    throttle.refused(throttle.sent(1.0, 0.0), MINUTE, 0.0)
    ticket = throttle.sent(10.0, 46.0)
    assert throttle.wait(46.0) == 0.0
    throttle.answered(ticket, 1000.0)
    assert throttle.wait(46.0) == 60.0


def test_a_full_house_waits_for_an_answer():
    throttle = steady(1)
    throttle.sent(1.0, 0.0)
    assert throttle.wait(0.0) == math.inf


def test_a_window_of_tokens_is_used_up_at_the_cost_of_few_refusals():
    """Two million tokens in each minute, 3,000 rows of 2,000 tokens: 164 s at least."""
    throttle, now, done, refusals, rows = steady(), 0.0, 0, 0, 3000
    used: dict[int, int] = {}
    under_way: list[tuple[float, int, Ticket, bool]] = []
    count = 0
    while done < rows:
        wait = throttle.wait(now) if done + len(under_way) < rows else math.inf
        if wait == 0:
            minute, count = int(now // 60), count + 1
            good = used.get(minute, 0) + 2000 <= 2_000_000
            used[minute] = used.get(minute, 0) + 2000 * good
            heapq.heappush(under_way, (now + (2.0 if good else 0.2), count, throttle.sent(2000, now), good))
            continue
        ends = under_way[0][0] if under_way else math.inf
        if now + wait < ends:
            now += wait
            continue
        now, _, ticket, good = heapq.heappop(under_way)
        if good:
            throttle.answered(ticket, 2000)
            done += 1
        else:
            refusals += 1
            throttle.refused(ticket, Refusal(Meaning.MINUTE, float(int(60 - now % 60)), 2_000_000), now)
    assert now <= 200
    assert refusals <= 0.03 * rows
