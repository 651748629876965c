"""What became of each request: rows joined by key, counted by status, summed by tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_provider_genai_batch.models import JobCounts, ResultRow, RowCounts, RowStatus, Usage
from airflow_provider_genai_batch.rows.ledger import MASK, key_digest
from airflow_provider_genai_batch.wire.keys import stamp

_SAMPLES = 5


class Tally:
    """Takes rows one by one and says at the end which requests have none.

    Attributes:
        expected: number of requests, None when nobody knows.
        rows_read: rows that came back, duplicates and all.
        duplicates: rows whose key came before; the first one counts.
        unjoined: rows without a key although every request had one; they cannot be told apart, so they are not
            landed, and their requests count as missing.
        unknown: rows whose key no request had.
    """

    def __init__(
        self,
        *,
        expected: int | None,
        keyed: bool = False,
        stamped: bool = False,
        key_sum: int | None = None,
        known: Sequence[str] | None = None,
    ) -> None:
        """Begin.

        Args:
            expected: number of requests.
            keyed: every request has a key that its row brings back.
            stamped: all keys were stamped by this package, so they are known.
            key_sum: of the requests' keys, see `rows.ledger.KeyLedger`; tells at the end whether all came back.
            known: the keys themselves, in order.
        """
        self.expected = expected
        self.rows_read = 0
        self.duplicates = 0
        self.unjoined = 0
        self.unknown = 0
        self._keyed, self._stamped, self._wanted_sum = keyed, stamped, key_sum
        self._known = known
        self._asked = None if known is None else frozenset(known)
        self._seen: set[str] = set()
        self._sum = 0
        self._keyless = 0
        self._others_sure = True
        self._status: Counter[RowStatus] = Counter()
        self._causes: Counter[str] = Counter()
        self._tokens = [0, 0, 0, 0, 0]

    def take(self, row: ResultRow) -> bool:
        """Count a row; False if it must not be landed."""
        self.rows_read += 1
        if row.key is None:
            if self._keyed:
                self.unjoined += 1
                return False
            self._keyless += 1
        elif row.key in self._seen:
            self.duplicates += 1
            return False
        elif self._is_strange(row):
            self.unknown += 1
            return False
        else:
            self._seen.add(row.key)
            if self._wanted_sum is not None:
                self._sum = (self._sum + key_digest(row.key)) & MASK
        self._count(row)
        return True

    def absorb(self, other: Tally) -> Tally:
        """Add the counts of another job's rows, whose keys are its own. Nothing is taken after that."""
        self.rows_read += other.rows_read
        self.duplicates += other.duplicates
        self.unjoined += other.unjoined
        self.unknown += other.unknown
        self._others_sure = self._others_sure and other.sure
        self._status.update(other._status)
        self._causes.update(other._causes)
        self._tokens = [mine + its for mine, its in zip(self._tokens, other._tokens, strict=True)]
        return self

    @property
    def trusts_index(self) -> bool:
        """Whether a key that looks like a stamp is one: users may hand in rows that were stamped once before."""
        return self._stamped or not self._keyed

    @property
    def sure(self) -> bool:
        """Whether the keys that came are those that were asked for; if not, take the rows again with them `known`."""
        if not self._others_sure:
            return False
        if self._asked is not None or self._stamped or not self._keyed or self._wanted_sum is None:
            return True
        return len(self._seen) == self.expected and self._sum == self._wanted_sum

    def missing(self) -> Iterator[ResultRow]:
        """Give a row for every request that has none, and count it; without its key where that is not known."""
        if self.expected is None:
            return
        if self._joined < self.expected:
            keys = map(stamp, range(self.expected)) if self._stamped else self._known or ()
            for index, key in enumerate(keys):
                if key not in self._seen:
                    self._seen.add(key)
                    yield self._counted(ResultRow(key=key, index=index, status=RowStatus.MISSING))
        while self._joined < self.expected:
            self._keyless += 1
            yield self._counted(ResultRow(key=None, status=RowStatus.MISSING))

    def take_service_counts(self, jobs: Sequence[JobCounts]) -> None:
        """Count by the service's counters, where rows stay with it."""
        done = sum(c.succeeded or 0 for c in jobs)
        failed = sum(c.failed or 0 for c in jobs)
        total = self.expected if self.expected is not None else done + failed
        self._status.update({RowStatus.OK: done, RowStatus.ERROR: failed})
        self._status[RowStatus.MISSING] += max(0, total - done - failed)
        self._keyless = total
        self.rows_read = done + failed

    @property
    def counts(self) -> RowCounts:
        """Rows by status."""
        by_status = {status.value: self._status[status] for status in RowStatus}
        return RowCounts(total=sum(by_status.values()), **by_status)

    @property
    def usage(self) -> Usage | None:
        """Tokens of all rows; None when no row told."""
        names = ("input", "output", "cached", "thoughts", "total")
        return Usage(**dict(zip(names, self._tokens, strict=True))) if any(self._tokens) else None

    def causes(self) -> str:
        """Return the commonest causes of failure with their counts, in one line."""
        shown = [f"{number} x {cause}" for cause, number in self._causes.most_common(_SAMPLES)]
        rest = len(self._causes) - len(shown)
        return "; ".join(shown) + (f"; {rest} other causes" if rest > 0 else "")

    def _is_strange(self, row: ResultRow) -> bool:
        """Whether no request had a row's key, where that is known."""
        if self._asked is not None:
            return row.key not in self._asked
        return self._stamped and (row.index is None or row.index >= (self.expected or 0))

    def _counted(self, row: ResultRow) -> ResultRow:
        self._count(row)
        return row

    @property
    def _joined(self) -> int:
        return len(self._seen) + self._keyless

    def _count(self, row: ResultRow) -> None:
        self._status[row.status] += 1
        if row.usage is not None:
            used = row.usage
            for at, number in enumerate((used.input, used.output, used.cached, used.thoughts, used.total)):
                self._tokens[at] += number
        if row.status is not RowStatus.OK and (len(self._causes) < 1000 or self._cause(row) in self._causes):
            self._causes[self._cause(row)] += 1

    @staticmethod
    def _cause(row: ResultRow) -> str:
        if row.error is None:
            return "no line came back" if row.status is RowStatus.MISSING else row.status.value
        head = " ".join(str(p) for p in (row.error.code, row.error.status) if p not in (None, ""))
        if not row.error.message:
            return f"{row.status.value} (code {head})" if head else row.status.value
        return f"{head}: {row.error.message[:160]}".strip(": ")
