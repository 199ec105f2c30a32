"""From findings to a patch: what to follow, what it brings, how it is written into the file."""
