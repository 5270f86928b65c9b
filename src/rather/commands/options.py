"""The options that commands share, each described once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

BY = "Occlusion(infiller=Cached(infiller=Inpainter()), size=48, stride=16, place='centre')"
CLASSIFIER = "efficientnet-lite0"

Images: TypeAlias = Annotated[
    list[Path], typer.Argument(help="Photos, and folders of photos.", show_default=False)
]
Classifier: TypeAlias = Annotated[
    str,
    typer.Option(
        help="efficientnet-lite0|1|2, timm:NAME, torchvision:NAME, hf:NAME, a TorchScript or "
        "torch.export file, or module:function."
    ),
]
By: TypeAlias = Annotated[
    str,
    typer.Option(help="The method, as `rather list` names it: 'GradCam', 'Occlusion(size=48)'."),
]
Infiller: TypeAlias = Annotated[
    str | None,
    typer.Option(help="What stands where pixels are taken away, instead of the method's own."),
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Class by name, number or WordNet id; by default what the classifier says."),
]
Foil: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--rather-than", help="The class it is not, or 'runner-up'; by default no other class."
    ),
]
Device: TypeAlias = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")]
Engine: TypeAlias = Annotated[
    str, typer.Option(help="torch, or openvino: passes without gradients twice as fast on a CPU.")
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(help="Seed of the method's randomness, instead of its own.")
]
Variants: TypeAlias = Annotated[
    int | None,
    typer.Option("--batch", min=1, help="Images at once; it changes memory and speed, no result."),
]
Size: TypeAlias = Annotated[
    int | None,
    typer.Option(min=8, help="Side of the square that is looked at; by default as it was trained."),
]
White: TypeAlias = Annotated[
    float | None,
    typer.Option(
        help="Value of greyscale deeper than 8 bits that is shown white, such as 4095 for 12 bits; "
        "by default by the kind of file, photo by photo."
    ),
]
Share: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0.001, max=0.999, help="Share of the image that the report removes to test the answer."
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace an earlier result.")]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
]
