"""Runners that rent or borrow another machine for the same worker."""
