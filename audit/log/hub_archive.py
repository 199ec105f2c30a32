"""Finished audits in a dataset of the Hugging Face Hub: one file each, several in one commit.

The dataset is made private where it does not exist. The hub's client is imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from audit.log.archive import SUFFIX, ArchiveFault
from audit.log.ids import SHAPE, check_audit_id

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "audits"
T = TypeVar("T")


class HubArchive:
    """`datasets/OWNER/NAME/audits/ab/abcdef....json`."""

    pause = 20.0
    """The Hub limits commits per hour; audits that end meanwhile share the next one."""

    def __init__(self, repo: str, token: str, hub: str | None = None) -> None:
        self._repo, self._token, self._hub = repo, token, hub
        self._made = False

    def put(self, files: Mapping[str, bytes]) -> None:
        """One commit, which the Hub takes whole or refuses."""
        from huggingface_hub import CommitOperationAdd

        added = [
            CommitOperationAdd(path_in_repo=_path(audit_id), path_or_fileobj=data)
            for audit_id, data in files.items()
        ]

        def commit(api: HfApi) -> None:
            if not self._made:
                api.create_repo(self._repo, repo_type="dataset", private=True, exist_ok=True)
                self._made = True
            api.create_commit(
                self._repo,
                operations=added,
                commit_message=f"{len(added)} audit{'s' * (len(added) > 1)}",
                repo_type="dataset",
            )

        self._asked("written", commit)

    def get(self, audit_id: str) -> bytes | None:
        """One file; None where there is none."""
        from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

        def download(api: HfApi) -> bytes | None:
            with TemporaryDirectory(prefix="goblin-archive-") as folder:
                try:
                    path = api.hf_hub_download(
                        self._repo, _path(audit_id), repo_type="dataset", local_dir=folder
                    )
                except (RemoteEntryNotFoundError, RepositoryNotFoundError):
                    return None
                return Path(path).read_bytes()

        return self._asked("read", download)

    def delete(self, audit_ids: Iterable[str]) -> None:
        """One commit that removes them; those that are absent are left out."""
        from huggingface_hub import CommitOperationDelete

        paths = [_path(audit_id) for audit_id in audit_ids]

        def commit(api: HfApi) -> None:
            there = {
                found.path for found in api.get_paths_info(self._repo, paths, repo_type="dataset")
            }
            gone = [CommitOperationDelete(path_in_repo=path) for path in paths if path in there]
            if gone:
                api.create_commit(
                    self._repo,
                    operations=gone,
                    commit_message=f"{len(gone)} deleted",
                    repo_type="dataset",
                )

        if paths:
            self._asked("changed", commit)

    def older(self, moment: float) -> list[str]:
        """Ids of the files whose last commit is older than `moment`."""
        from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

        def walk(api: HfApi) -> list[str]:
            found = []
            try:
                for item in api.list_repo_tree(
                    self._repo, FOLDER, recursive=True, expand=True, repo_type="dataset"
                ):
                    name, commit = Path(item.path), getattr(item, "last_commit", None)
                    if not SHAPE.fullmatch(name.stem) or commit is None:
                        continue
                    if commit.date.timestamp() < moment:
                        found.append(name.stem)
            except (RemoteEntryNotFoundError, RepositoryNotFoundError):
                return []
            return found

        return self._asked("read", walk)

    def _asked(self, what: str, ask: Callable[[HfApi], T]) -> T:
        """Ask the Hub; its errors, and those of the way to it, become one."""
        from httpx2 import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            return ask(HfApi(endpoint=self._hub, token=self._token))
        except (HTTPError, OSError, ValueError) as error:
            refused = error if isinstance(error, HfHubHTTPError) else error.__cause__
            why = type(error).__name__
            if isinstance(refused, HfHubHTTPError):
                why = f"the Hub says {refused.response.status_code}"
            message = f"the archive {self._repo} cannot be {what} ({why})"
            raise ArchiveFault(message) from error


def _path(audit_id: str) -> str:
    return f"{FOLDER}/{audit_id[:2]}/{check_audit_id(audit_id)}{SUFFIX}"
