"""Bar charts as SVG. They are readable without scripts and without colours."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _FOOT = 720, 160, 18
_FEWEST = 7
"""The number of bars that fill the width; if there are fewer, they are not made wider."""
_GAP = 0.25
"""The part of a bar's space that stays empty."""
_MOST_NAMES = 12
"""The most names below bars; more would overlap."""


def bars(values: Mapping[str, float], texts: Mapping[str, str], title: str) -> Markup:
    """Draw a bar for each value.

    Args:
        values: the values by name, from left to right.
        texts: the text of each value, shown when the pointer is over its bar.
        title: the title of the chart, for people who cannot see it; the page also has the numbers as a table.
    """
    if not values:
        return Markup()
    most, place = max(values.values()) or 1.0, _WIDTH / max(len(values), _FEWEST)
    step = -(-len(values) // _MOST_NAMES)
    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            _WIDTH, _HEIGHT + _FOOT, title, title
        )
    ]
    for at, (name, value) in enumerate(values.items()):
        height = _HEIGHT * value / most
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>'
            ).format(
                at * place + place * _GAP / 2, _HEIGHT - height, place * (1 - _GAP), height, name, texts[name]
            )
        )
        if at % step == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    at * place + place / 2, _HEIGHT + _FOOT - 4, name
                )
            )
    return Markup().join([*parts, Markup("</svg>")])


def parts_of(counts: Mapping[str, int]) -> Markup:
    """Draw one bar whose parts are counts. Its title, shown when the pointer is over it, names each part."""
    whole = sum(counts.values())
    if not whole:
        return Markup()
    at, drawn = 0.0, [Markup('<svg class="parts" viewBox="0 0 100 6" preserveAspectRatio="none" role="img">')]
    label = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    drawn.append(Markup("<title>{}</title>").format(label))
    for name, count in counts.items():
        width = 100 * count / whole
        drawn.append(
            Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="6"></rect>').format(
                escape(name), at, width
            )
        )
        at += width
    return Markup().join([*drawn, Markup("</svg>")])
