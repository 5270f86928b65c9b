"""HTML from Python: text is escaped unless it is markup already."""

import base64
from dataclasses import dataclass
from html import escape
from io import BytesIO

from PIL import Image

VOID = frozenset({"img", "meta", "hr", "br"})


@dataclass(frozen=True)
class Markup:
    """Text that is HTML already."""

    html: str


def tag(name: str, /, *inside: "str | Markup", **attributes: str) -> Markup:
    """An element; attributes have `-` for `_`, and lose a trailing `_` that frees Python's words.

    >>> tag("p", "a < b", class_="note").html
    '<p class="note">a &lt; b</p>'
    """
    words = [f' {_named(key)}="{escape(value)}"' for key, value in attributes.items()]
    opened = f"<{name}{''.join(words)}>"
    if name in VOID:
        return Markup(opened)
    return Markup(f"{opened}{together(*inside).html}</{name}>")


def _named(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def together(*parts: "str | Markup") -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join(p.html if isinstance(p, Markup) else escape(p) for p in parts))


def picture(image: Image.Image, alt: str, **attributes: str) -> Markup:
    """An image that stands in the page itself."""
    stream = BytesIO()
    image.save(stream, "JPEG", quality=88, optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    size = {"width": str(image.width), "height": str(image.height)}
    return tag("img", src=f"data:image/jpeg;base64,{data}", alt=alt, **size, **attributes)
