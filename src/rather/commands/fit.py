"""`rather fit`: train a recipe on a folder of pictures."""

import re
from pathlib import Path
from typing import Annotated

import typer

from rather.commands import options
from rather.commands.console import OK, bar, emit, guarded, out

Recipe = Annotated[
    str, typer.Argument(help="What is trained, such as InpainterRecipe or 'VaeRecipe(width=32)'.")
]
Pictures = Annotated[list[Path], typer.Argument(help="Folders, or zip files, of pictures.")]
File = Annotated[Path, typer.Option("--out", help="The weights file to write.")]
Steps = Annotated[int, typer.Option(min=1, help="Length of the training.")]
Batch = Annotated[int, typer.Option(min=1, help="Pictures a step.")]
Side = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=8,
        help="Side of the crops it learns from; by default what its classifier looks at, or 128.",
    ),
]
Flip = Annotated[bool, typer.Option(help="Mirror every other crop; not for digits or text.")]
Precision = Annotated[str, typer.Option(help="As Fabric names it: 32-true, bf16-mixed.")]


@guarded
def fit(
    recipe: Recipe,
    pictures: Pictures,
    file: File,
    steps: Steps = 5000,
    batch: Batch = 16,
    size: Side = None,
    flip: Flip = True,
    white: options.White = None,
    seed: Annotated[int, typer.Option(help="Of networks, crops and losses.")] = 0,
    device: options.Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Devices in this machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    precision: Precision = "32-true",
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Train a recipe on folders of pictures; the same command goes on after an interruption."""
    from rather import fitting
    from rather.data.holes import HoleMixture
    from rather.fitting.boxes import OneBox
    from rather.spec import build

    known = {name: getattr(fitting, name) for name in fitting.__all__ if name.endswith("Recipe")}
    known.pop("Recipe", None)
    chosen = build(recipe, {**known, "HoleMixture": HoleMixture, "OneBox": OneBox})
    chosen, side = fitting.sided(chosen, size, named=re.search(r"\bside\s*=", recipe) is not None)
    plan = fitting.Plan(steps=steps, batch=batch, seed=seed)
    source = fitting.found(chosen, *pictures, white=white)
    with bar():
        fitting.fit(
            chosen,
            source,
            file,
            plan,
            fitting.Crop(size=side, flip=flip),
            device,
            devices,
            nodes,
            precision,
            force,
        )
    if json:
        emit({"weights": str(file.resolve())})
    else:
        out.print(f"weights: {file.resolve()}", markup=False, soft_wrap=True)
    return OK
