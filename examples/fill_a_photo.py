"""Take the middle out of a photo and see what five in-fills put there.

python examples/fill_a_photo.py [PHOTO] [OUT.png]
"""

import sys
from io import BytesIO

import torch
from PIL import Image
from skimage.data import chelsea

from rather import fill, infillers
from rather.data.photo import look, read
from rather.fitting.journal import picture
from rather.view import View

cat = BytesIO()
Image.fromarray(chelsea()).save(cat, "PNG")
photo = read(sys.argv[1] if len(sys.argv) > 1 else cat.getvalue())
out = sys.argv[2] if len(sys.argv) > 2 else "fills.png"

images = look(photo, View())[None]
height, width = images.shape[2:]
keep = torch.ones(1, 1, height, width)
keep[..., height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 0

methods = [
    infillers.MeanColour(),
    infillers.Harmonic(),
    infillers.NoisyLinear(),
    infillers.Shuffle(),
    infillers.default(),
]
fills = [fill(method, images, keep, torch.Generator().manual_seed(0)) for method in methods]
picture((images, images * keep + 0.5 * (1 - keep), *fills)).save(out)
print("photo, hole,", ", ".join(type(method).__name__ for method in methods), "->", out)
