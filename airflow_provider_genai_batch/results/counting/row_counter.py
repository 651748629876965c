"""The counter of rows: joined with requests by key, counted by status, summed by tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import asdict

from airflow_provider_genai_batch.models import Checked, RowCounts, RowStatus, Usage
from airflow_provider_genai_batch.models.jobs.job_totals import BATCH, LONG_PROMPT, JobTotals
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.results.counting.causes import Causes
from airflow_provider_genai_batch.results.counting.token_sums import TokenSums
from airflow_provider_genai_batch.results.counting.unpaid_rows import UnpaidRows
from airflow_provider_genai_batch.results.keys.key_match import (
    DUPLICATE,
    REPLACED,
    UNKNOWN,
    UNPLACED,
    KeyMatcher,
    KeySumMatcher,
    KnownKeyMatcher,
    StampedKeyMatcher,
)
from airflow_provider_genai_batch.results.keys.key_set import KeySet
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.answers.gemini import CUT_OFF, USUAL
from airflow_provider_genai_batch.wire.answers.members import Dropped, Kinds
from airflow_provider_genai_batch.wire.answers.results import missing_row
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows

_SAMPLES = 5
_LONGEST_KEY = 200
UNKNOWN_TIER = "unknown"
"""In `tiers`: the answer does not say which tier served it."""


class RowCounter:
    """Counts rows one by one and finds out which requests have none.

    Attributes:
        expected: number of requests, None if unknown.
        rows_read: rows that came back, including duplicates.
        duplicates: rows whose key came before; the first good one counts.
        replaced: rows of requests that have a better one: a row of a later round, or a good row instead of a failed
            one. Their tokens are counted, because they are paid for.
        unjoined: rows without a key although every request had one. They cannot be matched to requests, so they are
            not landed, and their requests count as missing. Their tokens are counted.
        unknown: rows whose key no request had; their tokens are counted.
        samples: the first keys that were ``duplicates``, ``unknown`` and ``missing``.
        dropped: parts of answers that are in no row and no file, by kind.
        digest: identifies the bytes of the file that the rows were written to; None: there is no file.
        checked: the results of the checks of all rows.
    """

    def __init__(
        self,
        *,
        expected: int | None,
        keyed: bool = False,
        stamped: bool = False,
        key_sum: int | None = None,
        known: Iterable[str] | None = None,
        answered: KeySet | None = None,
        reuses: bool = False,
    ) -> None:
        """Create a counter without rows.

        Args:
            expected: number of requests.
            keyed: every request has a key that its row returns.
            stamped: all keys were stamped by this package, so they are known.
            key_sum: of the requests' keys, see `requests.duplicate_keys`; shows at the end whether all came back.
            known: the keys themselves, in order.
            reuses: there may be rows that no job was paid for, see `UnpaidRows`.
            answered: requests for which an earlier reading found a good row after a failed one; their failed rows are
                skipped. If this reading finds more of them, they are added, and the counter is not `sure`.
        """
        self.expected = expected
        self.rows_read = 0
        self.duplicates = 0
        self.replaced = 0
        self.unjoined = 0
        self.unknown = 0
        self.samples: dict[str, list[str]] = {"duplicates": [], "unknown": [], "missing": []}
        self._keyed = keyed
        # If some keys are the users' own, one that looks like a stamp may be theirs.
        self._trusts_stamps = stamped or not keyed
        self._matcher: KeyMatcher
        if known is not None:
            self._matcher = KnownKeyMatcher(known)
        elif stamped:
            self._matcher = StampedKeyMatcher(expected or 0)
        else:
            self._matcher = KeySumMatcher(expected, key_sum if keyed else None)
        self._match = self._matcher.match
        self.dropped = Dropped()
        self._answered = KeySet() if answered is None else answered
        self._were_answered = len(self._answered)
        self.digest: str | None = None
        self.checked: tuple[Checked, ...] = ()
        self._unpaid = UnpaidRows() if reuses else None
        self._round = 0
        self._keyless = 0
        self._others: list[RowCounter] = []
        self._ok = 0
        self._status: Counter[str] = Counter()
        self._causes = Causes()
        self._tokens = TokenSums()
        self._pay = self._tokens.add_row
        self._tiers: Counter[str] = Counter()
        self._not_landed: Counter[str] = Counter()
        self._whole, self._reasons = 0, Kinds()
        self._job: str | None = None
        self._begun = self._sums()
        self._shares: dict[str, JobTotals] = {}

    def begin_job(self, name: str) -> None:
        """Start the rows of a job."""
        self._end_job()
        self._job = name

    def begin_round(self, number: int) -> None:
        """Start the rows of a round; the last round comes first."""
        self._round = number
        self._matcher.begin(number)

    def begin_again(self) -> None:
        """Start the rows of a job that had the same requests as another job of the round; both are paid for."""
        self._matcher.begin(self._round)

    def take(self, row: PlainRow) -> bool:  # noqa: C901, PLR0912 - a call per row would cost a tenth more
        """Count a row and set its index, or None if it is uncertain; return False if the row must not be landed."""
        self.rows_read += 1
        key = row["key"]
        if key is None:
            if self._keyed:
                self.unjoined += 1
                self._leave(row)
                return False
            self._keyless += 1
            place = UNPLACED
        elif self._were_answered and row["status"] != "ok" and key in self._answered:
            self.replaced += 1
            self._leave(row)
            return False
        else:
            place = self._match(key, row["index"])
            if place >= 0:
                row["index"] = place
            elif place == UNPLACED:
                if not self._trusts_stamps:
                    row["index"] = None
            else:
                self._drop(row, place)
                return False
        self._pay(row)
        if "tier" in row and (tier := row["tier"]) != BATCH:  # rows of jobs have no tier
            self._tiers[tier or UNKNOWN_TIER] += 1
        reason = row["finish_reason"]
        if reason is USUAL or reason == USUAL:
            self._whole += 1
        elif reason is not None:
            self._reasons.count(reason)
        if row["status"] == "ok":
            self._ok += 1
        else:
            self._fail(row, place)
        return True

    def take_usual(self, rows: UsualRows) -> bool:
        """Count several rows and set their indices.

        Returns:
            False, without counting anything, if each row must be counted by itself: one of them does not land, or is
            billed at a different price from most.
        """
        if rows.longest > LONG_PROMPT or (rows.failed and self._were_answered):
            return False
        places = self._matcher.match_all(rows.keys, rows.indices)
        if places is None:
            return False
        if places[0] != UNPLACED:
            rows.place(places)
        elif not self._trusts_stamps:
            rows.place([None] * len(places))
        number = len(rows.rows)
        if rows.paid:
            self.rows_read += number
            self._tokens.add_usual(rows)
            self._whole += number - rows.cut_off
            if rows.cut_off:
                self._reasons.count(CUT_OFF, rows.cut_off)
        else:
            self.take_unpaid("ok", number - len(rows.failed), 0, asdict(rows.tokens))
            for at in rows.failed:
                self.take_unpaid(rows.rows[at].status, 1, 0, {})
        self._ok += number - len(rows.failed)
        for at in rows.failed:
            self._fail(rows.rows[at].plain(), places[at])
        return True

    def begin_reused(self) -> None:
        """Start the rows of earlier results, which belong to no job of this run."""
        self._end_job()

    def take_any(self, row: PlainRow) -> bool:
        """Count a row that may come from an earlier result; see `take`.

        A row that no job was paid for is not a duplicate if its request already has a row.
        """
        if self._unpaid is None or not self._unpaid.has(row):
            return self.take(row)
        key, status = row["key"], row["status"]
        if self._were_answered and status != "ok" and key in self._answered:
            return False
        place = self._match(key, row["index"])
        if place < 0 and place != UNPLACED:
            if place != UNKNOWN and status == "ok" and self._matcher.unanswered(key, row["index"]):
                self._answered.add(key)
            return False
        if place >= 0:
            row["index"] = place
        elif not self._trusts_stamps:
            row["index"] = None
        self._unpaid.add_row(row)
        if status == "ok":
            self._ok += 1
        else:
            self._fail(row, place)
        return True

    def absorb(self, other: RowCounter) -> RowCounter:
        """Add the counts of rows of other requests. No row may follow."""
        self._shares = {**self.shares, **other.shares}
        self.rows_read += other.rows_read
        self.duplicates += other.duplicates
        self.replaced += other.replaced
        self.unjoined += other.unjoined
        self.unknown += other.unknown
        for kind, keys in other.samples.items():
            self.samples[kind] = (self.samples[kind] + keys)[:_SAMPLES]
        self._others.append(other)
        if other._unpaid is not None:
            self._unpaid = self._unpaid or UnpaidRows()
            self._unpaid.absorb(other._unpaid)
        self._ok += other._ok
        self._status.update(other._status)
        self._causes.absorb(other._causes)
        self._whole += other._whole
        self._reasons.absorb(other._reasons)
        self.dropped.absorb(other.dropped)
        self._tokens.absorb(other._tokens)
        self._tiers.update(other._tiers)
        return self

    @property
    def sure(self) -> bool:
        """Whether it is known which rows count; if not, take all rows again.

        If the keys that came are not those of the requests, take the rows again with the `known` keys, or without the
        key sum, so that the counter remembers the keys. If a good row came after a failed one, take them again with
        `answered`.
        """
        settled = self._matcher.sure and len(self._answered) == self._were_answered
        return settled and all(other.sure for other in self._others)

    def came_of(self, job: str) -> int | None:
        """Return the number of a job's rows without duplicates; None if its rows were not read here."""
        share = self.shares.get(job)
        return None if share is None else share.rows.total()

    def missing(self) -> Iterator[PlainRow]:
        """Yield and count a row for every request that has none; the row has no key if the key is not known."""
        if self.expected is None:
            return
        left = self.expected - self._matcher.joined - self._keyless
        if left > 0:
            for key, place in self._matcher.missing():
                left -= 1
                self._sample("missing", key)
                yield self._missed(missing_row(key, place))
        for _ in range(left):
            yield self._missed(missing_row(None, None))

    def unanswered(self, key: str | None, index: int | None) -> bool:
        """Whether a request has no row that is ``ok``: its row failed, or is missing. Call it after all rows.

        Args:
            key: the request's key; without one, the result is False.
            index: its place in the input; it is used if all keys are stamps.
        """
        return key is not None and self._matcher.unanswered(key, index)

    def take_unread(
        self,
        statuses: Mapping[str, int],
        causes: Mapping[str, int],
        came: int,
        shares: Mapping[str, JobTotals] | None = None,
        tiers: Mapping[str, int] | None = None,
    ) -> None:
        """Count rows that stay where they are, see `results.counting.unread_rows`.

        Args:
            statuses: numbers of rows by status, including missing ones.
            causes: numbers of failed rows by cause.
            came: how many rows there are.
            shares: the totals of each job, if known.
            tiers: numbers of rows that immediate calls answered, by tier.
        """
        failed = Counter(statuses)
        self._keyless += failed.total()
        self._ok += failed.pop(RowStatus.OK.value, 0)
        self._status.update(failed)
        self._causes.add(causes)
        self.rows_read += came
        self._tiers.update(tiers or {})
        self._shares = {**self.shares, **(shares or {})}
        for totals in (shares or {}).values():
            self._tokens.add_job(totals)

    def take_unpaid(self, status: str, reused: int, same: int, usage: Mapping[str, int]) -> None:
        """Count rows that no job was paid for as such; `take_usual` or `take_unread` counts them among all rows.

        Args:
            status: the status of all of them.
            reused: rows of earlier results.
            same: rows of requests that are equal to another one.
            usage: tokens of these answers when they were first generated.
        """
        self._unpaid = self._unpaid or UnpaidRows()
        self._unpaid.add(status, reused, same, usage)

    @property
    def counts(self) -> RowCounts:
        """Rows by status."""
        by_status = {**{status.value: self._status[status.value] for status in RowStatus}, "ok": self._ok}
        return RowCounts(total=sum(by_status.values()), reused=self.reused, same=self.same, **by_status)

    @property
    def usage(self) -> Usage | None:
        """Tokens of all rows; None if no row has any."""
        usage = self._tokens.usage
        return None if usage == Usage() else usage

    @property
    def reuses(self) -> bool:
        """Whether there may be rows that no job was paid for."""
        return self._unpaid is not None

    @property
    def reused(self) -> int | None:
        """Rows of earlier results; None if the task does not reuse answers."""
        return None if self._unpaid is None else self._unpaid.reused

    @property
    def same(self) -> int | None:
        """Rows of requests equal to another one, which was submitted for them; None if the task finds no duplicates."""
        return None if self._unpaid is None else self._unpaid.same

    @property
    def saved(self) -> Usage | None:
        """Tokens that were not paid for, because the answers existed; None if the task does not reuse answers."""
        return None if self._unpaid is None else self._unpaid.saved

    @property
    def finish_reasons(self) -> dict[str, int]:
        """Counted answers by the reason why the model stopped, the commonest first."""
        reasons = Kinds(self._reasons)
        if self._whole:
            reasons[USUAL] += self._whole
        return dict(reasons.most_common())

    @property
    def tiers(self) -> dict[str, int]:
        """Counted rows by the tier that served them; missing and unpaid rows have no tier."""
        landed = self._ok + self._status.total() - self._status["missing"] - self._unpaid_status.total()
        in_jobs = landed - self._tiers.total()
        return {**({BATCH: in_jobs} if in_jobs else {}), **dict(self._tiers.most_common())}

    @property
    def commonest(self) -> dict[str, int]:
        """The commonest causes of failure, with their counts."""
        return self._causes.commonest

    @property
    def shares(self) -> dict[str, JobTotals]:
        """The totals of each job by name, including rows that were replaced."""
        self._end_job()
        return self._shares

    def causes(self) -> str:
        """Return the commonest causes of failure with their counts, in one line."""
        return str(self._causes)

    def _drop(self, row: PlainRow, why: int) -> None:
        if why != UNKNOWN and row["status"] == "ok" and self._matcher.unanswered(row["key"], row["index"]):
            self._answered.add(row["key"])
        if why == REPLACED:
            self.replaced += 1
            self._leave(row)
        elif why == DUPLICATE:
            self.duplicates += 1
            self._sample("duplicates", row["key"])
        else:
            self.unknown += 1
            self._leave(row)
            self._sample("unknown", row["key"])

    def _leave(self, row: PlainRow) -> None:
        """Count a row that is paid for but not landed."""
        self._pay(row)
        self._not_landed[row["status"]] += 1

    def _sample(self, kind: str, key: str) -> None:
        if len(self.samples[kind]) < _SAMPLES:
            self.samples[kind].append(printable(key, _LONGEST_KEY))

    def _sums(self) -> JobTotals:
        rows = self._status + self._not_landed
        rows["ok"] += self._ok
        rows -= self._unpaid_status
        del rows["missing"]
        tokens = self._tokens
        return JobTotals(rows, tokens.usage, tokens.long, tokens.full, tokens.full_long)

    @property
    def _unpaid_status(self) -> Counter[str]:
        return Counter() if self._unpaid is None else self._unpaid.status

    def _end_job(self) -> None:
        now = self._sums()
        if self._job is not None:
            self._shares[self._job] = now.since(self._begun)
        self._job, self._begun = None, now

    def _fail(self, row: PlainRow, place: int) -> None:
        if row["key"] is not None:
            self._matcher.failed(row["key"], place)
        self._status[row["status"]] += 1
        self._causes.add_row(row)

    def _missed(self, row: PlainRow) -> PlainRow:
        self._status[row["status"]] += 1
        self._causes.add_missing(row)
        return row
