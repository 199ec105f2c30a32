"""The research sub-agent: looks a question up where it may, and brings back leads, never edits."""
