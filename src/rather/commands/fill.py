"""`rather fill`: what an in-fill, or every one, makes of a hole."""

from pathlib import Path
from typing import Annotated

import typer

from rather.commands import console, options
from rather.commands.console import OK, bar, emit, guarded, out, say

Photo = Annotated[Path, typer.Argument(help="A photo.")]
Hole = Annotated[
    str,
    typer.Option(
        help="box, segments, tiles or noise (half of the photo but for the box), x,y,w,h in pixels "
        "of what is looked at, or an image as large as the photo: white is kept, black is filled."
    ),
]
Which = Annotated[str, typer.Option(help="An in-fill as `rather list` names it, or all.")]
Side = Annotated[int, typer.Option("--size", min=8, help="Side of the square looked at.")]


@guarded
def fill(
    photo: Photo,
    hole: Hole = "box",
    infiller: Which = "all",
    file: Annotated[Path, typer.Option("--out", help="The picture to write.")] = Path("fill.png"),
    size: Side = 224,
    white: options.White = None,
    seed: Annotated[int, typer.Option(help="Of the hole and of in-fills that draw.")] = 0,
    device: options.Device = "auto",
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Show what an in-fill makes of a hole, or all of them side by side."""
    from rather.commands import filling
    from rather.data.photo import doubted
    from rather.view import View

    with bar():
        view = View(size, size, white=white)
        seen, doubt = doubted(photo, white=view.white)
        made, left = filling.filled(seen, hole, infiller, view, seed, device)
        filling.save(made, file, force)
    console.doubted([(str(photo), doubt)] if doubt else [])
    for name, reason in left.items():
        say(f"rather: {name} left out: {reason}")
    if json:
        emit({"picture": str(file.resolve()), "fills": list(made)[2:], "left_out": left})
    else:
        out.print(f"picture: {file.resolve()}", markup=False, soft_wrap=True)
    return OK
