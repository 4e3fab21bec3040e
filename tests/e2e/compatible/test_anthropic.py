"""The Anthropic routes, by Anthropic's own client: sync, async, streaming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.compatible.conftest import KEY, MODEL, Said
from tests.support.raw_client import Raw, save


def anthropic() -> Any:
    """The package, which takes long to import: not while tests are collected."""
    return pytest.importorskip("anthropic")


HELLO: list[Any] = [{"role": "user", "content": "hello"}]
TOOL: dict[str, Any] = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich"}}</tool_call>'


def client(url: str, key: str = KEY) -> Any:
    return anthropic().Anthropic(base_url=f"{url}/anthropic/api", api_key=key, max_retries=0)


def test_a_conversation_is_completed(saying: Callable[..., Said]) -> None:
    said = saying("Grüezi! ✓")
    made = client(said.url).messages.create(
        model=MODEL, system="Be brief.", messages=HELLO, max_tokens=50
    )
    assert said.engine.prompts == ["System: Be brief.<eos>User: hello<eos>Assistant: "]
    assert (made.type, made.role, made.model) == ("message", "assistant", MODEL)
    (block,) = made.content
    assert (block.type, block.text) == ("text", "Grüezi! ✓")
    assert (made.stop_reason, made.stop_sequence) == ("end_turn", None)
    assert made.usage.input_tokens == len("System: Be brief.User: helloAssistant: ") + 2
    assert made.usage.output_tokens == len("Grüezi! ✓".encode()) + 1
    assert made.usage.cache_read_input_tokens == made.usage.cache_creation_input_tokens == 0


def test_why_a_message_ends(saying: Callable[..., Said]) -> None:
    ask = client(saying("one END two", "0123456789").url).messages.create
    stopped = ask(model=MODEL, messages=HELLO, max_tokens=50, stop_sequences=["END"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "END")
    assert stopped.content[0].text == "one "
    cut = ask(model=MODEL, messages=HELLO, max_tokens=4)
    assert (cut.stop_reason, cut.content[0].text) == ("max_tokens", "0123")


def test_tools_there_and_back(saying: Callable[..., Said]) -> None:
    said = saying(f"<think>hm</think>Let me see.\n{CALL}", "Sun.")
    http = client(said.url)
    made = http.messages.create(model=MODEL, messages=HELLO, max_tokens=200, tools=[TOOL])
    assert '"name": "weather"' in said.engine.prompts[0]
    assert made.stop_reason == "tool_use"
    thinking, text, call = made.content
    assert (thinking.thinking, text.text) == ("hm", "Let me see.")
    assert (call.type, call.name, call.input) == ("tool_use", "weather", {"city": "Zürich"})
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": "sun"}],
    }
    messages = [
        *HELLO,
        {"role": "assistant", "content": [block.model_dump() for block in made.content]},
        {"role": "user", "content": [result, {"type": "text", "text": "Well?"}]},
    ]
    again = http.messages.create(model=MODEL, messages=messages, max_tokens=200)
    assert again.content[0].text == "Sun."
    assert said.engine.prompts[1] == (
        f"User: hello<eos>Assistant: <think>hm</think>Let me see.{CALL}<eos>"
        "Tool: sun<eos>User: Well?<eos>Assistant: "
    )


def test_the_tool_runner_of_the_client(saying: Callable[..., Said]) -> None:
    """It asks for a thread first, and goes on without one if the error has the code of that."""
    said = saying(CALL, "Sun.")
    asked = []

    @anthropic().beta_tool  # type: ignore[untyped-decorator]
    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sun"

    runner = client(said.url).beta.messages.tool_runner(
        model=MODEL, messages=HELLO, max_tokens=200, tools=[weather]
    )
    assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]
    assert asked == ["Zürich"]
    assert said.engine.prompts[1].endswith(
        f"User: hello<eos>Assistant: {CALL}<eos>Tool: sun<eos>Assistant: "
    )


def test_a_stream(saying: Callable[..., Said]) -> None:
    said = saying(f"<think>hm</think>Grüezi! {CALL}")
    with client(said.url).messages.stream(
        model=MODEL, messages=HELLO, max_tokens=200, tools=[TOOL]
    ) as stream:
        kinds = [event.type for event in stream]
        made = stream.get_final_message()
    assert [block.type for block in made.content] == ["thinking", "text", "tool_use"]
    assert made.content[0].thinking == "hm"
    assert made.content[1].text == "Grüezi!"
    assert made.content[2].input == {"city": "Zürich"}
    assert made.stop_reason == "tool_use"
    assert made.usage.output_tokens == len(f"<think>hm</think>Grüezi! {CALL}".encode()) + 1
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3


def test_the_asynchronous_client(saying: Callable[..., Said]) -> None:
    said = saying("one", "two")

    async def ask() -> tuple[str, str]:
        url = f"{said.url}/anthropic/api"
        async with anthropic().AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0) as http:
            made = await http.messages.create(model=MODEL, messages=HELLO, max_tokens=9)
            text = ""
            async with http.messages.stream(model=MODEL, messages=HELLO, max_tokens=9) as stream:
                async for piece in stream.text_stream:
                    text += piece
            return made.content[0].text, text

    assert asyncio.run(ask()) == ("one", "two")


def test_thinking_and_effort(saying: Callable[..., Said]) -> None:
    said = saying("so")
    for asked in (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"extra_body": {"output_config": {"effort": "max"}}},
    ):
        client(said.url).messages.create(model=MODEL, messages=HELLO, max_tokens=9, **asked)
    start, end = "User: hello<eos>Assistant: ", "<think></think>"
    assert said.engine.prompts == [start + end, start, f"System: Effort: xhigh<eos>{start}"]


def test_tokens_are_counted_as_they_are_charged(saying: Callable[..., Said]) -> None:
    said = saying("so")
    http = client(said.url)
    asked: dict[str, Any] = {
        "model": MODEL,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": HELLO,
        "tools": [TOOL],
        "thinking": {"type": "disabled"},
    }
    counted = http.messages.count_tokens(**asked).input_tokens
    assert counted == http.messages.create(**asked, max_tokens=9).usage.input_tokens
    assert counted > http.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens


def test_whose_checkpoint_it_is(two_users: str) -> None:
    with Raw(two_users, "tml-anna") as raw:
        path = raw.do("save_weights_for_sampler", save(raw.model(), 1, "s"))["path"]
    asked = {"model": path, "messages": HELLO, "max_tokens": 2}
    assert client(two_users, "tml-anna").messages.create(**asked).model == path
    with pytest.raises(anthropic().PermissionDeniedError) as caught:
        client(two_users, "tml-bert").messages.create(**asked)
    assert caught.value.body["error"]["type"] == "permission_error"
    by_token = anthropic().Anthropic(base_url=f"{two_users}/anthropic/api", auth_token="tml-anna")
    assert by_token.messages.create(**asked).model == path
    with pytest.raises(anthropic().AuthenticationError) as unknown:
        client(two_users, "tml-nobody").messages.create(**asked)
    assert unknown.value.body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"tool_choice": {"type": "any"}, "tools": [TOOL]}, "tool_choice"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0]"),
        ({"extra_body": {"mcp_servers": [{"url": "x"}]}}, "mcp_servers"),
        ({"extra_body": {"thread": {"type": "create"}}}, "thread"),
        ({"extra_body": {"output_config": {"effort": "some"}}}, "output_config.effort"),
        ({"extra_body": {"output_config": {"format": {}}}}, "output_config"),
        ({"thinking": {"type": "later"}}, "thinking"),
        ({"extra_body": {"temperature": -1}}, "temperature"),
        ({"max_tokens": 5000}, "max_tokens"),
        ({"model": "nobody/knows"}, "nobody/knows"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_is_refused_is_named(two_users: str, asked: dict[str, Any], named: str) -> None:
    with pytest.raises(anthropic().BadRequestError) as caught:
        client(two_users, "tml-anna").messages.create(
            **{"model": MODEL, "messages": HELLO, "max_tokens": 9, **asked}
        )
    error = caught.value.body["error"]
    assert error["type"] == "invalid_request_error"
    assert named in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "messages", 405), ("POST", "x", 404)]
)
def test_errors_of_paths_have_the_form_too(
    two_users: str, method: str, path: str, status: int
) -> None:
    response = httpx.request(method, f"{two_users}/anthropic/api/v1/{path}")
    assert response.status_code == status
    assert response.json()["type"] == "error"


@pytest.mark.parametrize("content", [5, True, {"type": "text", "text": "sun"}])
def test_the_content_of_a_result_is_a_text_or_blocks(
    saying: Callable[..., Said], content: object
) -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": content}
    with pytest.raises(anthropic().BadRequestError, match="must be a string or a list") as raised:
        client(saying("one").url).messages.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": [result]}]
        )
    assert "messages[0].content[0].content" in str(raised.value)


def test_a_route_that_is_not_there_is_told_with_those_that_are(two_users: str) -> None:
    with pytest.raises(anthropic().NotFoundError) as caught:
        client(two_users, "tml-anna").models.list()
    assert caught.value.body["error"]["message"] == (
        "This server has no GET /anthropic/api/v1/models; it has /anthropic/api/v1/messages, "
        "/anthropic/api/v1/messages/count_tokens"
    )
