"""A workload becomes what the worker runs: dimensions scaled to the box, knobs applied or named."""
