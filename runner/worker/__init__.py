"""The measuring worker: translated specs in, JSON lines out. Torch lives in `host` alone."""
