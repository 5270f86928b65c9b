"""What writers and readers of records agree on."""

FORMAT = 1
MANIFEST = "manifest.json"
