"""Studies on disk: arrays, and a manifest, written last, that says how to make them again.

A record is a folder: `manifest.json` beside one safetensors file per batch. Write it inside
`rather.atomic.fresh` or `rather.atomic.resumed`, so that a folder of that name is never half a
record.
"""

from rather.record.reading import read
from rather.record.writing import MANIFEST, Parts, write

__all__ = ["MANIFEST", "Parts", "read", "write"]
