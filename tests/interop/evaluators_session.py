"""litellm against the server whose address is given, through both APIs; prints what it got as JSON.

python evaluators_session.py http://127.0.0.1:8000 KEY MODEL
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import litellm

MESSAGES = [{"role": "user", "content": "Say hello."}]


def joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def session(provider: str, url: str, key: str, model: str) -> dict[str, Any]:
    base = {"openai": f"{url}/oai/api/v1", "anthropic": f"{url}/anthropic/api"}[provider]
    common: dict[str, Any] = {
        "model": f"{provider}/{model}",
        "api_base": base,
        "api_key": key,
        "messages": MESSAGES,
        "max_tokens": 12,
        "temperature": 0.0,
        "num_retries": 0,
    }
    whole = litellm.completion(**common)
    found: dict[str, Any] = {
        "whole": whole.choices[0].message.content,
        "finish_reason": whole.choices[0].finish_reason,
        "usage": [whole.usage.prompt_tokens, whole.usage.completion_tokens],
        "streamed": joined(litellm.completion(**common, stream=True)),
        "async": asyncio.run(litellm.acompletion(**common)).choices[0].message.content,
    }
    for name, change in {
        "wrong key": {"api_key": "tml-nobody"},
        "unknown model": {"model": f"{provider}/nobody/nothing"},
        "not offered": {"extra_body": {"logit_bias": {"5": 1}}}
        if provider == "openai"
        else {"max_tokens": 10**6},
    }.items():
        try:
            litellm.completion(**{**common, **change})
        except Exception as error:  # noqa: BLE001  # whatever it makes of a refusal is the finding
            found[name] = [type(error).__name__, str(error)]
    return found


def completions(url: str, key: str, model: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "model": f"text-completion-openai/{model}",
        "api_base": f"{url}/oai/api/v1",
        "api_key": key,
        "prompt": "hello",
        "max_tokens": 12,
        "temperature": 0.0,
    }
    return {
        "whole": litellm.text_completion(**common).choices[0].text,
        "streamed": "".join(
            chunk.choices[0].text or "" for chunk in litellm.text_completion(**common, stream=True)
        ),
    }


if __name__ == "__main__":
    report = {provider: session(provider, *sys.argv[1:]) for provider in ("openai", "anthropic")}
    print(json.dumps({**report, "completions": completions(*sys.argv[1:])}))
