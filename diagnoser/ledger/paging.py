"""Where does a page begin? A cursor is the place of the last thing seen; what comes in later moves nothing."""

import re

from diagnoser.ledger.records import MOST_IN_A_PAGE

PLACE = re.compile(r"[0-9]{1,15}")
EVENT = re.compile(r"[0-9]{1,15}(-[0-9]{1,15})?")  # SQLite numbers them, Redis has a time and a number


def place(after: str | None) -> int | None:
    """Read a cursor; None: from the beginning. Raises ValueError."""
    if after is None:
        return None
    if not PLACE.fullmatch(after):
        raise ValueError("this is no cursor: use the one that the page before gave, as it stands")
    return int(after)


def event_place(after: str | None) -> str:
    """Check the id of an event; None: from the beginning. Raises ValueError."""
    if after is None:
        return "0"
    if not EVENT.fullmatch(after):
        raise ValueError("this is no id of an event: use the last one received, as it stands")
    return after


def page_size(limit: int) -> int:
    """Bound what one call gives. Raises ValueError."""
    if not 1 <= limit <= MOST_IN_A_PAGE:
        raise ValueError(f"a page has between 1 and {MOST_IN_A_PAGE} entries, not {limit}")
    return limit
