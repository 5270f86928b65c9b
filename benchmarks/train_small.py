"""Train small forms of what papers used: FIDO's two fills, and the mask network of LTX.

    .venv/bin/python benchmarks/train_small.py rather-vae-v1 --out RUN --ship

Each may be killed and started again; the same command goes on. `--ship` copies the weights into the
package. Only photos that no benchmark judges by are looked at.
"""

from harness import DATA
from training_jobs import Job, command

from rather.fitting import ContextualRecipe, Crop, MaskRecipe, Pictures, Plan, VaeRecipe
from rather.fitting.recipe import Source


def photos() -> Source:
    return Pictures((str(DATA / "imagenette_144.zip"), str(DATA / "imagewoof_144.zip")))


CROPS = Crop(size=96)
JOBS = {
    "rather-vae-v1": Job(
        VaeRecipe(width=16, rate=1e-3),
        photos,
        Plan(steps=8000, batch=8, average=0.995, held=48, validate_every=500),
        CROPS,
    ),
    "rather-contextual-v1": Job(
        ContextualRecipe(width=12, rate=4e-4),
        photos,
        Plan(steps=3000, batch=8, clip=10.0, average=0.995, held=48, validate_every=250),
        CROPS,
    ),
    # A map of 14 x 14: the last one, of 7 x 7, is coarse. The price of ViT-B leaves nothing. Masks
    # are drawn, as it would learn to dim the image, which this classifier hardly minds.
    "ltx-efficientnet-lite0": Job(
        MaskRecipe(
            "efficientnet-lite0",
            layer="blocks.4",
            area=16.0,
            anneal=300,
            start=0.25,
            area_penalty="square",
            temperature=0.2,
        ),
        photos,
        Plan(steps=450, batch=16, warmup=25, average=0.98, held=48, validate_every=50),
        Crop(size=224),
    ),
    # The last map, masks of a drawn size: what is learned is a ranking.
    "ltx-efficientnet-lite0-v2": Job(
        MaskRecipe.as_ranking("efficientnet-lite0"),
        photos,
        Plan(steps=1400, batch=16, warmup=50, average=0.99, held=48, validate_every=200),
        Crop(size=224),
    ),
}


if __name__ == "__main__":
    command(JOBS, __doc__)
