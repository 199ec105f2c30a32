"""The fields that a patch must leave, by our names: a user may name them by keys of the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.watch import watched
from audit.records.errors import InputError, RunFailed

if TYPE_CHECKING:
    from agent.request import AuditRequest

READ_SECONDS = 60.0
"""For the reading that only finds out what the fields are called."""


def with_fields(
    request: AuditRequest, cancelled: Callable[[], bool] = lambda: False
) -> AuditRequest:
    """The request with `keep` as fields.

    A file that cannot be read is left to the stage that reads it, which says so.

    Raises:
        UnknownName: a name that is neither a field nor a key; the nearest one is named.
    """
    from workload.field_names import FieldNames
    from workload.read import read_workload

    if not request.keep:
        return request
    try:
        with watched(READ_SECONDS, cancelled):
            read = read_workload(
                request.uploads, versions=request.versions or None, dialect=request.dialect
            )
    except (InputError, RunFailed):
        return request
    names = FieldNames(read.name, read.format, read.fields)
    return replace(request, keep=names.fields_of(request.keep))
