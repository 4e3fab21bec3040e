"""The embedded server's tokenizer: a token for each byte, and one for the end."""

from __future__ import annotations

from ._added_tokens import AddedToken
from ._byte_level import ByteLevelParts

EOS = "<eos>"
EOS_ID = 256
CHAT_TEMPLATE = """\
{%- if reasoning_effort %}{{ "System: Effort: " ~ reasoning_effort ~ "<eos>" }}{% endif %}
{%- if tools %}
    {{- 'System: To call a tool, write <tool_call>{"name": ..., "arguments": {...}}</tool_call>. Tools:' }}
    {%- for tool in tools %}{{ "\\n" ~ tool | tojson }}{% endfor %}
    {{- "<eos>" }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role not in ("system", "user", "assistant", "tool") %}
        {{- raise_exception("a role is system, user, assistant or tool") }}
    {%- endif %}
    {{- message.role | capitalize ~ ": " }}
    {%- if message.reasoning_content %}{{ "<think>" ~ message.reasoning_content ~ "</think>" }}{% endif %}
    {{- message.content or "" }}
    {%- for call in message.tool_calls or [] %}
        {{- "<tool_call>" ~ {"name": call.function.name, "arguments": call.function.arguments} | tojson ~ "</tool_call>" }}
    {%- endfor %}
    {{- "<eos>" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "Assistant: " }}
    {%- if enable_thinking is defined and not enable_thinking %}{{ "<think></think>" }}{% endif %}
{%- endif %}"""
"""A message is `Role: text<eos>`, and the reply begins after `Assistant: `.

Reasoning stands in `<think>…</think>` before the text. A tool call is
`<tool_call>{"name": …, "arguments": {…}}</tool_call>` behind it; the tools are listed in a message of the system at
the beginning, one in a line. `reasoning_effort` writes another message of the system; `enable_thinking=False`
begins the reply with `<think></think>`.
"""


def embedded_parts() -> ByteLevelParts:
    """Ids 0 to 255 are the bytes of the text in UTF-8; 256 is `<eos>`."""
    every_byte = {byte: bytes([byte]) for byte in range(256)}
    return ByteLevelParts(
        name="tinker-local/bytes",
        pattern=r"[\s\S]+",
        tokens=every_byte,
        ranks={token: byte for byte, token in every_byte.items()},
        vocab_size=256,
        added_tokens=(AddedToken(EOS, EOS_ID),),
    )
