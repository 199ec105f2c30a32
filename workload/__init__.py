"""A training file becomes a Workload, and edits of a Workload become a diff of the file.

`read.read_workload` and `patch.edit_workload` are the two doors; both work on uploads in memory and
open no path. A new framework is one module in `dialects/`, one line in its table `DIALECTS`, and
one golden test in `tests/workload/`.
"""

from __future__ import annotations
