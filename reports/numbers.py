"""How is a number written? Four significant digits, and words for what is not finite."""

import math

DIGITS = 4  # surface.md 3: over-precise values alone made a 26 MB report elsewhere


def number(value: float | None, *, digits: int = DIGITS) -> str:
    """A number for reading; `not measured` for None."""
    if value is None:
        return "not measured"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def numbers(values: tuple[float | None, ...], *, at_most: int = 8) -> str:
    """Several numbers, the rest counted."""
    shown = ", ".join(number(value) for value in values[:at_most])
    return f"{shown} and {len(values) - at_most} more" if len(values) > at_most else shown


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.3g} %"


def seconds(value: float) -> str:
    """A duration."""
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
