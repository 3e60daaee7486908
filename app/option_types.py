"""What options of the command line may be, for argparse. Whatever is none is refused with a sentence."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

UNITS_S = {"h": 3600, "d": 86_400, "w": 604_800}
LONGEST_S = 100 * 365 * 86_400.0


def port(text: str) -> int:
    """A port, 0 for any."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"a port lies between 0 and 65535; you gave {value}")
    return value


def whole(low: int) -> Callable[[str], int]:
    """Reads whole numbers from `low` on."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number; you gave {text!r}") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}; you gave {value}")
        return value

    return read


def amount(text: str) -> float:
    """A number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; you gave {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more; you gave {text}")
    return value


def span_s(text: str) -> float:
    """`12h`, `30d` or `2w` in seconds."""
    found = re.fullmatch(r"(\d{1,9})([hdw])", text.strip().lower(), re.ASCII)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"must be a number of hours, days or weeks: 12h, 30d or 2w; you gave {text!r}")
    seconds = int(found[1]) * UNITS_S[found[2]]
    if seconds > LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be at most 100 years; you gave {text!r}")
    return float(seconds)


def above_0(text: str) -> float:
    """A number above 0."""
    value = amount(text)
    if not value:
        raise argparse.ArgumentTypeError(f"must be more than 0; you gave {text}")
    return value
