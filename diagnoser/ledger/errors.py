"""What can be wrong with the ledger itself? Our fault or the operator's, never the user's; no refusal is an error."""

from diagnoser.errors import EngineError


class LedgerFull(EngineError):  # noqa: N818 -- the state is the name
    """No room: nothing was written, nothing is lost. New work is to be refused, running work to wait and try again."""

    code = "ledger-full"


class LedgerUnreachable(EngineError):  # noqa: N818
    """No answer: whether it was written is not known. Every call may be made again."""

    code = "ledger-unreachable"


class LedgerOwned(EngineError):  # noqa: N818
    """Another process owns the file."""

    code = "ledger-owned"


class LedgerTooNew(EngineError):  # noqa: N818
    """A newer version wrote the file; an older one would damage it."""

    code = "ledger-too-new"
