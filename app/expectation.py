"""An expectation of a result, as the command line takes it: `time_to_visible.stream.p50<1.0`. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metrics.figures import figure, parse_figure
from metrics.record import RunRecord

_SHAPE = re.compile(r"\s*([\w.-]+?)\s*(<=|>=|<|>)\s*(\d+(?:\.\d*)?|\.\d+)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A figure, how it is compared, and with what. `text` is as it was written."""

    text: str
    figure: str
    comparison: str
    bound: float

    def missed(self, records: Sequence[RunRecord], model_id: str) -> str | None:
        """A sentence on why the runs of a model are not as expected; `None` if they are. What is not known is not."""
        try:
            value = figure(records, self.figure, model_id)
        except ValueError as error:  # pairs were left out, and too few are there for the percentile
            return f"Expectation missed: {self.text}, {model_id}: {error}"
        if value is not None and _COMPARE[self.comparison](value, self.bound):
            return None
        shown = "not known" if value is None else f"{value:.4g}"
        return f"Expectation missed: {self.text}; it is {shown} for {model_id}."


def read_expectation(text: str, pairs: int) -> Expectation:
    """From the command line. Raises `ValueError` with a sentence: for another form, for a figure that there is not,
    and for a percentile that so many pairs cannot carry."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"--expect '{text}' is not METRIC.MODE.STATISTIC compared with a number, such as "
            "'time_to_visible.stream.p50<1.0'."
        )
    name, comparison, number = found.groups()
    wanted = parse_figure(name)
    if pairs < wanted.needs:
        raise ValueError(f"--expect '{text}': {wanted.statistic} needs at least {wanted.needs} pairs, not {pairs}.")
    return Expectation(text=text.strip(), figure=name, comparison=comparison, bound=float(number))
