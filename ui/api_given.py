"""What callers of the tools give, plain texts and numbers, as the records that the house reads."""

from __future__ import annotations

from collections.abc import Mapping

from audit.records.upload import Upload, plainly_named
from audit.records.workload import DataLengths


def uploads_of(files: Mapping[str, str]) -> tuple[Upload, ...]:
    """The given texts as uploads."""
    return tuple(plainly_named(Upload(name, said.encode())) for name, said in files.items())


def versions_of(versions: Mapping[str, str]) -> dict[str, str]:
    """The stated versions, checked as those of the command line are."""
    from workload.versions import parse_versions

    said = ",".join(f"{name}={version}" for name, version in versions.items())
    return parse_versions(said) if said else {}


def lengths_of(said: str) -> DataLengths | None:
    """Stated lengths; never a path."""
    from workload.lengths import parse_lengths

    return parse_lengths(said) if said.strip() else None
