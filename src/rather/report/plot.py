"""Curves as pictures that scale: SVG that stands in the page itself."""

from collections.abc import Mapping, Sequence

from rather.report.markup import Markup, tag, together

WIDE, HIGH, LEFT, BELOW = 320, 200, 34, 30  # of the plot, and the room for its numbers, in pixels
STROKES = ("", "6 3", "2 3", "9 3 2 3", "1 2")  # so that curves differ without colours, too
Points = Sequence[tuple[float, float]]


def plot(curves: Mapping[str, Points], across: str, up: str) -> Markup:
    """Curves from 0 to 1 on both axes, named below; what leaves the range is cut.

    Args:
        curves: points of each curve by its name, from left to right.
        across: what the horizontal axis shows.
        up: what the vertical axis shows.
    """
    if not curves:
        raise ValueError("a plot needs at least one curve")
    lines = [_line(points, number) for number, points in enumerate(curves.values())]
    size = f"0 0 {WIDE + LEFT + 8} {HIGH + BELOW + 8}"
    label = f"{up} over {across}: {', '.join(curves)}"
    drawn = tag("svg", *_axes(across), *lines, viewBox=size, role="img", aria_label=label)
    names = [_named(name, number) for number, name in enumerate(curves)]
    return together(drawn, tag("span", f"Up: {up}."), *names)


def _line(points: Points, number: int) -> Markup:
    places = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points if 0 <= x <= 1)
    dashes = STROKES[number % len(STROKES)]
    kind = f"curve c{number % len(STROKES)}"
    return tag("polyline", points=places, class_=kind, stroke_dasharray=dashes)


def _axes(across: str) -> list[Markup]:
    grid = []
    for share in (0.0, 0.5, 1.0):
        left, right = f"{LEFT}", f"{LEFT + WIDE}"
        top, bottom = "4", f"{HIGH + 4}"
        x, y = f"{_x(share):.1f}", f"{_y(share):.1f}"
        grid += [
            tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"),
            tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"),
            tag("text", f"{share:g}", x=f"{LEFT - 6}", y=f"{_y(share) + 4:.1f}", text_anchor="end"),
            tag("text", f"{share:g}", x=x, y=f"{HIGH + 18}", text_anchor="middle"),
        ]
    middle = f"{LEFT + WIDE / 2:g}"
    return [*grid, tag("text", across, x=middle, y=f"{HIGH + 34}", text_anchor="middle")]


def _named(name: str, number: int) -> Markup:
    dashes = STROKES[number % len(STROKES)]
    kind = f"curve c{number % len(STROKES)}"
    line = tag("line", x1="0", x2="28", y1="6", y2="6", class_=kind, stroke_dasharray=dashes)
    key = tag("svg", line, viewBox="0 0 28 12", class_="key", aria_hidden="true")
    return tag("span", key, name, class_="named")


def _x(share: float) -> float:
    return LEFT + WIDE * share


def _y(share: float) -> float:
    return 4 + HIGH * (1 - min(max(share, 0.0), 1.0))
