"""How much of an answer is the luck of one fill? Ask again with other draws of the same in-fill.

python examples/several_draws.py [DRAWS]
"""

import sys

import torch
from skimage.data import chelsea

from rather import Question, infillers, models
from rather.infillers import draws

count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
classifier = models.load("efficientnet-lite0")
pixels = torch.from_numpy(chelsea()).permute(2, 0, 1)[None].float() / 255
images = torch.nn.functional.interpolate(pixels, (224, 224), mode="bilinear", antialias=True)
keep = torch.ones(1, 1, 224, 224)
keep[..., 60:120, 50:170] = 0  # the eyes

with torch.no_grad():
    before = classifier(images)
    question = Question(before.argmax(1))
    name = classifier.name_of(int(question.target))
    print(f"{name}: {question.probability(before).item():.1%} with its eyes")
    for infiller in (infillers.ColourNoise(), infillers.Shuffle(), infillers.default()):
        filled = torch.cat(list(draws(infiller, images, keep, count)))
        answers = question.at(torch.zeros(len(filled), dtype=torch.long))
        shares = answers.probability(classifier(filled))
        print(f"{infiller}: {shares.mean():.1%}, from {shares.min():.1%} to {shares.max():.1%}")
