"""What stands on this machine: cards, packages, limits. It runs the vendor's tools, never torch."""
