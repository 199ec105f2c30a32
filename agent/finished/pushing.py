"""Pushes exported trajectories to the user's own dataset on the Hub, only when asked to.

One file per export under a name that stays the same, so that a later export replaces it. The
dataset is made private where it does not exist; a public one gets nothing without a second yes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from audit.records.errors import SetupError, UserError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
HUB = "https://huggingface.co"


def check_push(repo: str, token: str | None) -> str:
    """The token that writes to `repo`.

    Raises:
        UserError: `repo` names no dataset.
        SetupError: there is no token.
    """
    if not REPO.fullmatch(repo) or ".." in repo:
        message = f"--push {repo[:80]!r} names no dataset"
        raise UserError(message, remedy="Give USER/DATASET, such as ada/gpu-audits.")
    if not token:
        message = "there is no HF_TOKEN to push with"
        raise SetupError(message, remedy="Set HF_TOKEN to a token that may write to your datasets.")
    return token


def place_of(form: str, audit_id: str | None) -> str:
    """The file of an export in the dataset: a folder per form, since their columns differ."""
    return f"{form}/{audit_id or 'all'}.jsonl"


def push_lines(
    lines: Iterable[str],
    repo: str,
    place: str,
    token: str,
    hub: str | None = None,
    *,
    public: bool = False,
) -> str:
    """Write `lines`, which are redacted already, as one file; returns the file's address.

    Args:
        lines: one JSON object each, with its line end.
        repo: USER/DATASET.
        place: the path in the dataset.
        token: may write to it; it is sent to the Hub and nowhere else.
        hub: address of the Hub; None: huggingface.co.
        public: the user knows that everybody can read the dataset.

    Raises:
        UserError: there is nothing to push, or the dataset is public and `public` was not said.
        SetupError: the Hub refuses it or does not answer; nothing is written then.
    """
    from httpx2 import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    data = "".join(lines).encode()
    if not data:
        message = "there is no audit to push"
        raise UserError(message, remedy="`python -m agent list` shows what is kept.")
    api = HfApi(endpoint=hub, token=token)
    try:
        if not public and _is_public(api, repo):
            message = f"the dataset {repo} is public: everybody could read these conversations"
            remedy = "Make it private, name another one, or say --public. Nothing was pushed."
            raise UserError(message, remedy=remedy)
        api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        api.create_commit(
            repo,
            operations=[CommitOperationAdd(path_in_repo=place, path_or_fileobj=data)],
            commit_message=f"GPU Goblin: {place}",
            repo_type="dataset",
        )
    except (HTTPError, OSError, ValueError) as error:
        refused = error if isinstance(error, HfHubHTTPError) else error.__cause__
        why = type(error).__name__
        if isinstance(refused, HfHubHTTPError):
            why = f"the Hub says {refused.response.status_code}"
        message = f"the dataset {repo} cannot be written ({why})"
        remedy = "Check that HF_TOKEN may write to it; nothing was pushed."
        raise SetupError(message, remedy=remedy) from error
    return f"{hub or HUB}/datasets/{repo}/blob/main/{place}"


def _is_public(api: HfApi, repo: str) -> bool:
    """Whether the dataset exists and is not said to be private."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return api.dataset_info(repo, expand=["private"]).private is not True
    except RepositoryNotFoundError:
        return False  # it will be made, private
