"""The backend `huggingface`: any model and provider behind the router of Hugging Face.

The provider is named behind the model id (`model:provider`), as the router's own documentation
does: https://huggingface.co/docs/inference-providers. The token is HF_TOKEN, never one that
happens to be stored on the machine.
"""

from __future__ import annotations

from agent.backends.chat import ChatBackend, Server
from agent.backends.model import need


class HuggingFaceBackend(ChatBackend):
    """Answers with the turns of a model that an inference provider serves."""

    def check(self) -> None:
        """The token."""
        need(self.models.hf_token, "token for Hugging Face", "HF_TOKEN")

    def server(self) -> Server:
        """The router, the model with its provider, and who pays."""
        models = self.models
        provider = f":{models.hf_provider}" if models.hf_provider else ""
        token = need(models.hf_token, "token for Hugging Face", "HF_TOKEN")
        return Server(models.hf_url, f"{models.hf_model}{provider}", token, models.hf_bill_to)
