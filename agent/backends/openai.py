"""The backend `openai`: any OpenAI-compatible server, such as vLLM, SGLang or Ollama."""

from __future__ import annotations

from agent.backends.chat import ChatBackend, Server
from agent.backends.model import need

NO_KEY = "none"
"""Sent where no key is stated; without it the client would send a token stored on the machine."""


class OpenAIBackend(ChatBackend):
    """Answers with the turns of a model on the operator's own server."""

    def check(self) -> None:
        """The address and the model; a server at home needs no key."""
        need(self.models.openai_url, "address of a model server", "GOBLIN_OPENAI_BASE_URL")
        need(self.models.openai_model, "name of the served model", "GOBLIN_OPENAI_MODEL")

    def server(self) -> Server:
        """The stated server and model."""
        models = self.models
        return Server(
            url=need(models.openai_url, "address of a model server", "GOBLIN_OPENAI_BASE_URL"),
            model=need(models.openai_model, "name of the served model", "GOBLIN_OPENAI_MODEL"),
            key=models.openai_key or NO_KEY,
        )
