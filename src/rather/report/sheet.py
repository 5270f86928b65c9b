"""A contact sheet: named pictures side by side, in rows."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

GAP, LINE = 8, 20  # pixels between pictures, and for a name


def sheet(rows: Sequence[Mapping[str, Image.Image]], side: int = 224) -> Image.Image:
    """Lay out rows of named pictures, each fitted into a square.

    Args:
        rows: for every row its pictures, by the name that stands above each.
        side: of the squares, in pixels.
    """
    across = max((len(row) for row in rows), default=0)
    if not across:
        raise ValueError("a contact sheet needs at least one picture")
    step, drop = side + GAP, side + LINE + GAP
    canvas = Image.new("RGB", (across * step + GAP, len(rows) * drop + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for line, row in enumerate(rows):
        for column, (name, picture) in enumerate(row.items()):
            left, top = GAP + column * step, GAP + line * drop
            draw.text((left, top), _short(name, font, side), fill="black", font=font)
            canvas.paste(_fitted(picture, side), (left, top + LINE))
    return canvas


def in_rows(pictures: Mapping[str, Image.Image], across: int) -> list[dict[str, Image.Image]]:
    """Part many pictures into rows of a few."""
    every = list(pictures.items())
    return [dict(every[start : start + across]) for start in range(0, len(every), across)]


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    times = side / max(picture.size)
    width, height = (max(1, round(length * times)) for length in picture.size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _short(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}...") > width:
        name = name[:-1]
    return f"{name}..."
