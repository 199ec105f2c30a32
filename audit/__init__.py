"""The record of an audit: what was found, how it was logged, how it is exported."""
