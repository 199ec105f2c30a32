"""Asks Hugging Face Jobs through the Hub's own client; its errors become one kind, without secrets.

Read from huggingface_hub 2.4 (hf_api.py, _jobs_api.py). Nobody has run it against the live service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from audit.records.errors import SetupError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
TORCH = "2.11.0"
IMAGE = f"pytorch/pytorch:{TORCH}-cuda12.8-cudnn9-devel"
"""Our choice: the newest torch that Docker Hub has for CUDA 12.8. Blackwell needs 12.8, and the
service's drivers end at CUDA 12.9 (huggingface/diffusers, commands/generate.py; a job of 2026 whose
torch was for CUDA 13 saw no card on a100-large), so that an image for CUDA 13 may find no GPU. The
-devel one has the C compiler that torch.compile needs. Since torch 2.10 these images have Ubuntu's
Python 3.12 (pytorch/pytorch#170338), older ones conda's."""


@dataclass(frozen=True, slots=True)
class JobsAccess:
    """With whose token, where, and in which container jobs run."""

    token: str | None = field(default=None, repr=False)
    """HF_TOKEN: sent to the Hub only, never into a job, its labels or its command."""
    hub: str | None = None
    """Address of the Hub; None: huggingface.co."""
    image: str = IMAGE
    cache: Path | None = None
    """Where finished results are kept; None: every run is rented."""
    audit_id: str = ""
    """Stands in the labels of every job, so that orphans are found."""
    poll_s: float = 5.0
    """Seconds between two looks at a job."""


class HubRefused(Exception):
    """The Hub answered with an error, or not at all."""

    def __init__(self, why: str, status: int | None = None) -> None:
        self.status = status
        """HTTP status; None: there was no answer, or one that is not understood."""
        super().__init__(why)


def client(access: JobsAccess) -> HfApi:
    """The Hub's client; raises SetupError where there is no token."""
    if not access.token:
        message = "there is no HF_TOKEN for Hugging Face Jobs"
        remedy = "Set HF_TOKEN to a token that may start jobs (they cost money)."
        raise SetupError(message, remedy=remedy)
    from huggingface_hub import HfApi

    return HfApi(endpoint=access.hub, token=access.token)


def asked(ask: Callable[[], T]) -> T:
    """What `ask` gives.

    Raises:
        HubRefused: with the status, or the kind of the error: the text of either may quote secrets.
    """
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return ask()
    except (HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        cause = error if isinstance(error, HfHubHTTPError) else error.__cause__
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            raise HubRefused(_meaning(status), status) from None
        why = f"no answer that could be read ({type(error).__name__})"
        raise HubRefused(why) from None


def _meaning(status: int) -> str:
    known = {
        401: "the token is not valid",
        402: "the account has no credit for jobs",
        403: "the token may not use jobs of this namespace",
        404: "it does not know the machine, the namespace or the job",
        429: "too many requests",
    }
    told = known.get(status, "it failed" if status >= 500 else "it refused")
    return f"Hugging Face says {status}: {told}"


def own_name(api: HfApi) -> str:
    """The user whose token it is; raises HubRefused."""
    return asked(lambda: str(api.whoami()["name"]))
