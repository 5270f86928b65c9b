"""Pictures and holes."""
