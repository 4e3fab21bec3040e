"""The routes of OpenAI clients: models, chat completions, completions."""

from __future__ import annotations

from tinker_local.protocol.handlers.openai.chat import create_chat_completion
from tinker_local.protocol.handlers.openai.completions import create_completion
from tinker_local.protocol.handlers.openai.models import list_models

__all__ = ["create_chat_completion", "create_completion", "list_models"]
