"""A training file becomes a Workload, and edits of a Workload become a diff of the file.

`read.read_workload` and `patch.edit_workload` are the two doors; both work on uploads in memory and
open no path. A new framework is one module in `dialects/`, one line in its table `DIALECTS`, and
one golden file in `tests/workload/golden/`. Where its files are YAML, the module is a table of keys
(`yaml_table.Key`) in a `yaml_dialect.YamlDialect`, with a list of all its keys in `dialects/keys/`;
`dialects/llamafactory.py` is the example to copy.
"""

from __future__ import annotations
