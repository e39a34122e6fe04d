"""How large is a share, and how sure are we of it? The 95 % interval is Wilson's, right for few cases and for 0 or all.

It says that 15 healthy programs without a false alarm only show a rate below 20 %.
"""

from collections.abc import Iterable

from diagnoser.records import Record

LEVEL = 0.95


class Share(Record):
    """So many of so many."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """Give the share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Give the 95 % interval by Wilson; None of nothing."""
        if not self.of:
            return None
        from scipy.stats import binomtest

        found = binomtest(self.hits, self.of).proportion_ci(confidence_level=LEVEL, method="wilson")
        return float(found.low), float(found.high)

    def words(self) -> str:
        """Write `95.5 % (78-99)`; a dash of nothing."""
        if self.value is None or self.interval is None:
            return "-"
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.0f}-{100 * high:.0f})"

    def record(self) -> dict[str, object]:
        """Give all of it for JSON."""
        return {"hits": self.hits, "of": self.of, "share": self.value, "interval": self.interval}


def share(hits: Iterable[bool]) -> Share:
    """Count."""
    values = list(hits)
    return Share(hits=sum(values), of=len(values))
