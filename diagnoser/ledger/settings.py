"""Which numbers does a ledger keep to? One record, so that a test can use short ones."""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from diagnoser.records import Record


class LedgerSettings(Record):
    """The numbers that ran 1,000 jobs under 100 kill -9 and lost none (research/service.md, sections 1.7 and 3)."""

    lease_seconds: float = Field(default=60, gt=0)
    renew_seconds: float = Field(default=15, gt=0)  # a lease survives three lost renewals
    attempts: PositiveInt = 3  # then the unit is given up: a poison unit must not run for ever
    reconcile_seconds: float = Field(default=15, gt=0)  # how often `sweep` and `next_units` are due
    reconcile_lock_seconds: float = Field(default=30, gt=0)  # two missed turns, and another takes over
    resend_seconds: float = Field(default=60, gt=0)  # a unit that was enqueued and that nobody claimed
    worker_seconds: float = Field(default=45, gt=0)  # a worker that is silent for so long is gone: three heartbeats
    keep_seconds: float | None = Field(default=7 * 24 * 3600, gt=0)  # of a finished job; None: for ever
    events_kept: PositiveInt = 2000  # of one job; at 4 KB each, 8 MB at worst
    window: PositiveInt = 1  # units of one tenant in one queue, enqueued and not yet claimed

    @model_validator(mode="after")
    def _a_lease_outlives_its_renewal(self) -> Self:
        if self.renew_seconds >= self.lease_seconds:
            raise ValueError("a lease must last longer than the time between two renewals")
        return self


def milliseconds(seconds: float) -> int:
    """Count in what both back ends store: whole milliseconds."""
    return round(seconds * 1000)
