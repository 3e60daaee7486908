"""Plots as inline SVG: drawn by matplotlib, then made fit to stand in a page.

Colours become CSS variables with a fallback, so that one drawing serves light, dark and a file without our style sheet.
Text stays text in the font of the page. Every drawing has a title and a description for screen readers, ids of its own,
and is the same for the same data. matplotlib is loaded at the first drawing, since that takes some 0.4 s; its settings
are those of the process, so one drawing is made at a time. `pyplot` is never used: it keeps every figure.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 440
"""In units of the drawing; text of 12 stays readable on a phone of 390 pixels."""

# Stand-ins that no data can bring about -> what stands in the page: the page's variables and their light values.
INK, INK_2, LINE, STREAMED, COMPLETE, SILENCE = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
COLOURS = {
    INK: "var(--ink, #1d1f22)",
    INK_2: "var(--ink-2, #575b61)",
    LINE: "var(--line-strong, #cfcfc7)",
    STREAMED: "var(--accent, #1f6f5c)",
    COMPLETE: "var(--ink-3, #6f737a)",
    SILENCE: "var(--warn, #8a5a00)",
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "chart",
    "text.parse_math": False,  # a dollar is a dollar
    "font.family": "DejaVu Sans",  # comes with matplotlib: the layout is the same on every machine
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK_2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK_2,
    "ytick.labelcolor": INK_2,
    "text.color": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.labelcolor": INK_2,
    "hatch.linewidth": 0.7,
    "hatch.color": SILENCE,
}
_DRAWING = threading.Lock()
_KEY = "the-key-of-this-chart"
"""Stands in all ids until the drawing is done; then its own hash takes its place."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_NOWHERE = re.compile(r"rotate\(-?0 [^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A plot and the same in words. `svg` is empty where there is nothing to draw; the words say so."""

    title: str
    svg: str
    words: str


def draw(title: str, words: str, paint: Callable[[Axes], None], *, height: int = 240) -> Chart:
    """A chart of one pair of axes, filled in by `paint` with the stand-in colours of this module."""
    with _DRAWING:
        import matplotlib
        from matplotlib.figure import Figure

        with matplotlib.rc_context():
            matplotlib.rcdefaults()  # whatever the machine's own settings are
            matplotlib.rcParams.update(_STYLE)
            figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
            axes = figure.add_subplot()
            figure.patch.set_visible(False)
            axes.patch.set_visible(False)
            paint(axes)
            drawn = io.StringIO()
            figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Chart(title=title, svg=_inline(drawn.getvalue(), title, words), words=words)


def _inline(drawing: str, title: str, words: str) -> str:
    """matplotlib's file as a piece of HTML."""
    root = ElementTree.fromstring(drawing)
    view = root.attrib["viewBox"]
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith(("}metadata", "}style"))]:
            parent.remove(child)  # the style would apply to the whole page
    _rename(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # HTML knows the namespaces by itself
        element.attrib = {name.rpartition("}")[2]: _value(value) for name, value in element.attrib.items()}
        element.text, element.tail = (element.text or "").strip() or None, None
        if _NOWHERE.fullmatch(element.get("transform", "")):
            del element.attrib["transform"]
    root.attrib = {
        "class": "chart",
        "viewBox": view,
        "role": "img",
        "aria-labelledby": f"{_KEY}-title {_KEY}-desc",
        "style": "stroke-linejoin: round; stroke-linecap: butt",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", words))):
        told = ElementTree.Element(tag, {"id": f"{_KEY}-{tag}"})
        told.text = text
        root.insert(place, told)
    drawn = ElementTree.tostring(root, encoding="unicode")
    return drawn.replace(_KEY, "c" + hashlib.sha256(drawn.encode()).hexdigest()[:10])


def _rename(root: ElementTree.Element) -> None:
    """Ids that something refers to become `_KEY` and a number; all others go. Some of matplotlib's come from addresses
    in memory."""
    known: dict[str, str] = {}

    def new(name: str) -> str:
        return known.setdefault(name, f"{_KEY}-{len(known)}")

    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href"):
                element.attrib[name] = f"#{new(value.removeprefix('#'))}"
            else:
                element.attrib[name] = _REFERENCE.sub(lambda found: f"url(#{new(found[1])})", value)
    for element in root.iter():
        if (old := element.attrib.pop("id", None)) in known:
            element.attrib["id"] = known[old]


def _value(value: str) -> str:
    """An attribute's value with the page's colours, without a font, two decimals, one line."""
    for stand_in, colour in COLOURS.items():
        value = value.replace(stand_in, colour)
    value = re.sub(r"font-family:[^;]*;\s*", "", value)
    value = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
    return " ".join(value.split())
