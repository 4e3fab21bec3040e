"""The OpenAI routes, by OpenAI's own client: sync, async, streaming."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.compatible.conftest import KEY, MODEL, Said
from tests.support.raw_client import Raw, forward_backward, optim_step, save
from tests.support.scripted_engine import ScriptedEngine
from tinker_local import LocalServer


def openai() -> Any:
    """The package, which takes long to import: not while tests are collected."""
    return pytest.importorskip("openai")


HELLO: list[Any] = [{"role": "user", "content": "hello"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich"}}</tool_call>'


def client(url: str, key: str = KEY) -> Any:
    return openai().OpenAI(base_url=f"{url}/oai/api/v1", api_key=key, max_retries=0)


# ---- chat -------------------------------------------------------------------------------------


def test_a_conversation_is_completed(saying: Callable[..., Said]) -> None:
    said = saying("Grüezi! ✓")
    messages = [{"role": "developer", "content": "Be brief."}, *HELLO]
    made = client(said.url).chat.completions.create(model=MODEL, messages=messages, max_tokens=50)
    assert said.engine.prompts == ["System: Be brief.<eos>User: hello<eos>Assistant: "]
    assert (made.object, made.model) == ("chat.completion", MODEL)
    (choice,) = made.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content) == ("assistant", "Grüezi! ✓")
    assert choice.message.tool_calls is None
    prompt, sampled = (
        len("System: Be brief.User: helloAssistant: ") + 2,
        len("Grüezi! ✓".encode()) + 1,
    )
    assert made.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": prompt,
        "completion_tokens": sampled,
        "total_tokens": prompt + sampled,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_parts_of_text_and_earlier_tool_calls_reach_the_template(
    saying: Callable[..., Said],
) -> None:
    said = saying("ok")
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
    }
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ]
    client(said.url).chat.completions.create(model=MODEL, messages=messages)
    assert said.engine.prompts == [
        'User: ab<eos>Assistant: <tool_call>{"name": "weather", "arguments": {"city": "Bern"}}</tool_call>'
        "<eos>Tool: sun<eos>Assistant: "
    ]


def test_several_choices_a_stop_string_and_a_limit(saying: Callable[..., Said]) -> None:
    said = saying("one END two", "three", "0123456789")
    made = client(said.url).chat.completions.create(
        model=MODEL, messages=HELLO, n=3, stop=["END", "unused"], max_completion_tokens=9
    )
    found = [(choice.message.content, choice.finish_reason) for choice in made.choices]
    assert found == [("one ", "stop"), ("three", "stop"), ("012345678", "length")]


def test_log_probabilities(saying: Callable[..., Said]) -> None:
    made = client(saying("aé").url).chat.completions.create(
        model=MODEL, messages=HELLO, logprobs=True, top_logprobs=2
    )
    content = made.choices[0].logprobs.content
    # A token for each byte; the one that ends the turn is not among them.
    assert [(one.token, one.logprob, one.bytes) for one in content] == [
        ("a", -1, [97]),
        ("\ufffd", -2, [0xC3]),
        ("\ufffd", -3, [0xA9]),
    ]
    assert [(top.token, top.logprob) for top in content[0].top_logprobs] == [("a", 0), ("a", -0.5)]


@pytest.mark.parametrize("top_logprobs", [None, 1])
def test_a_stream_of_log_probabilities(
    saying: Callable[..., Said], top_logprobs: int | None
) -> None:
    stream = client(saying("aéb STOP").url).chat.completions.create(
        model=MODEL,
        messages=HELLO,
        stream=True,
        logprobs=True,
        top_logprobs=top_logprobs,
        stop="STOP",
    )
    text, logprobs = "", []
    for chunk in stream:
        (choice,) = chunk.choices
        text += choice.delta.content or ""
        if choice.logprobs is not None:
            logprobs += choice.logprobs.content
    assert text == "aéb "
    assert [one.logprob for one in logprobs] == [-1, -2, -3, -4, -5]
    assert b"".join(bytes(one.bytes) for one in logprobs).decode() == text
    assert all(len(one.top_logprobs) == (top_logprobs or 0) for one in logprobs)


def test_a_stream(saying: Callable[..., Said]) -> None:
    stream = client(saying("<think>hm</think>Grüezi!", "ok").url).chat.completions.create(
        model=MODEL, messages=HELLO, n=2, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert len({chunk.id for chunk in chunks}) == 1
    assert [len(chunk.choices) for chunk in chunks] == [1] * (len(chunks) - 1) + [0]
    assert chunks[-1].usage.completion_tokens == len("<think>hm</think>Grüezi!".encode()) + 4
    texts, reasoning = ["", ""], ["", ""]
    finished: dict[int, str] = {}
    for chunk in chunks[:-1]:
        (choice,) = chunk.choices
        assert choice.index not in finished
        texts[choice.index] += choice.delta.content or ""
        reasoning[choice.index] += getattr(choice.delta, "reasoning_content", None) or ""
        if choice.finish_reason:
            finished[choice.index] = choice.finish_reason
    assert texts == ["Grüezi!", "ok"]
    assert reasoning == ["hm", ""]
    assert finished == {0: "stop", 1: "stop"}
    assert chunks[0].choices[0].delta.role == "assistant"


def test_the_asynchronous_client(saying: Callable[..., Said]) -> None:
    said = saying("one", "two")

    async def ask() -> tuple[str, str]:
        url = f"{said.url}/oai/api/v1"
        async with openai().AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as http:
            made = await http.chat.completions.create(model=MODEL, messages=HELLO)
            text = ""
            async for chunk in await http.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            ):
                text += chunk.choices[0].delta.content or ""
            return made.choices[0].message.content, text

    assert asyncio.run(ask()) == ("one", "two")


# ---- tools ------------------------------------------------------------------------------------


def test_a_tool_is_called(saying: Callable[..., Said]) -> None:
    said = saying(f"Let me see.\n{CALL}\n{CALL}")
    made = client(said.url).chat.completions.create(model=MODEL, messages=HELLO, tools=[TOOL])
    assert json.dumps(TOOL, ensure_ascii=False) in said.engine.prompts[0]
    (choice,) = made.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    first, second = choice.message.tool_calls
    assert (first.type, first.function.name) == ("function", "weather")
    assert json.loads(first.function.arguments) == {"city": "Zürich"}
    assert first.id != second.id


def test_a_tool_is_called_in_a_stream(saying: Callable[..., Said]) -> None:
    with client(saying(f"So: {CALL}").url).chat.completions.stream(
        model=MODEL, messages=HELLO, tools=[TOOL]
    ) as stream:
        for _ in stream:
            pass
        choice = stream.get_final_completion().choices[0]
    assert choice.message.content == "So:"
    (call,) = choice.message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Zürich"}
    assert choice.finish_reason == "tool_calls"


def test_no_tool_is_called_when_none_is_offered(saying: Callable[..., Said]) -> None:
    said = saying(CALL)
    for asked in ({}, {"tools": [TOOL], "tool_choice": "none"}):
        made = client(said.url).chat.completions.create(model=MODEL, messages=HELLO, **asked)
        assert made.choices[0].message.content == CALL
        assert made.choices[0].finish_reason == "stop"
        assert "weather" not in said.engine.prompts.pop()


# ---- reasoning --------------------------------------------------------------------------------


def test_reasoning_is_apart_from_the_content(saying: Callable[..., Said]) -> None:
    said = saying("<think>\nhm\n</think>\n\nso")
    ask = client(said.url).chat.completions.create
    made = ask(model=MODEL, messages=HELLO)
    assert made.choices[0].message.content == "so"
    assert made.choices[0].message.reasoning_content == "hm"
    assert 0 < made.usage.completion_tokens_details.reasoning_tokens < made.usage.completion_tokens
    inline = ask(model=MODEL, messages=HELLO, extra_body={"separate_reasoning": False})
    assert inline.choices[0].message.content == "<think>\nhm\n</think>\n\nso"
    cut = ask(model=MODEL, messages=HELLO, max_tokens=10)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("", "length")
    assert cut.choices[0].message.reasoning_content == "hm"


@pytest.mark.parametrize(
    ("effort", "written"),
    [("low", "low"), ("xhigh", "xhigh"), (0.0, "none"), (0.5, "medium"), (0.99, "xhigh")],
)
def test_effort(saying: Callable[..., Said], effort: Any, written: str) -> None:
    said = saying("so")
    client(said.url).chat.completions.create(
        model=MODEL, messages=HELLO, extra_body={"reasoning_effort": effort}
    )
    (prompt,) = said.engine.prompts
    assert prompt.startswith(f"System: Effort: {written}<eos>")
    assert prompt.endswith("<think></think>") == (written == "none")


# ---- completions ------------------------------------------------------------------------------


def test_texts_are_completed(saying: Callable[..., Said]) -> None:
    said = saying("a!x", "b", "c", "d")
    made = client(said.url).completions.create(
        model=MODEL, prompt=["one", "two"], n=2, stop="!", max_tokens=2
    )
    assert said.engine.prompts == ["one", "two"]
    found = [(choice.index, choice.text, choice.finish_reason) for choice in made.choices]
    assert found == [(0, "a", "stop"), (1, "b", "stop"), (2, "c", "stop"), (3, "d", "stop")]
    assert made.usage.prompt_tokens == 6
    assert made.usage.completion_tokens == 2 * 4
    by_ids = client(said.url).completions.create(model=MODEL, prompt=[104, 105])
    assert (said.engine.prompts[-1], by_ids.choices[0].text) == ("hi", "d")


def test_a_text_is_completed_in_a_stream(saying: Callable[..., Said]) -> None:
    stream = client(saying("wörld!").url).completions.create(
        model=MODEL, prompt="hello ", echo=True, stream=True
    )
    chunks = [chunk.choices[0] for chunk in stream]
    assert "".join(chunk.text for chunk in chunks) == "hello wörld!"
    assert [chunk.finish_reason for chunk in chunks][-1] == "stop"


def test_the_log_probabilities_of_an_echo_are_those_of_the_model(two_users: str) -> None:
    http = client(two_users, "tml-anna")
    prompt = "Grüße"
    made = http.completions.create(model=MODEL, prompt=prompt, max_tokens=0, echo=True, logprobs=2)
    logprobs = made.choices[0].logprobs
    assert made.choices[0].text == prompt
    size = len(prompt.encode())
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == size
    assert logprobs.token_logprobs[0] is logprobs.top_logprobs[0] is None
    assert logprobs.text_offset[:4] == [0, 1, 2, 2]
    assert logprobs.tokens[:4] == ["G", "r", "bytes:\\xc3", "bytes:\\xbc"]
    with Raw(two_users, "tml-anna") as raw:
        session_id = raw.session()
        chunks = [{"type": "encoded_text", "tokens": list(prompt.encode())}]
        scored = raw.do(
            "asample",
            {
                "sampling_session_id": raw.sampler(session_id),
                "seq_id": 0,
                "prompt": {"chunks": chunks},
                "sampling_params": {"max_tokens": 1},
                "prompt_logprobs": True,
            },
        )
    assert logprobs.token_logprobs == scored["prompt_logprobs"]


def test_a_seed_repeats_and_temperature_0_is_the_most_likely(two_users: str) -> None:
    http = client(two_users, "tml-anna")

    def ask(**more: Any) -> str:
        made = http.completions.create(model=MODEL, prompt="abc", max_tokens=8, **more)
        return str(made.choices[0].text)

    assert ask(seed=5) == ask(seed=5) != ask(seed=6)
    assert (
        ask(temperature=0)
        == ask(temperature=0, seed=9)
        == ask(top_p=1e-9)
        == ask(extra_body={"top_k": 1})
    )


# ---- models, users, refusals --------------------------------------------------------------------


def test_a_trained_checkpoint_says_what_it_has_learned(two_users: str) -> None:
    prompt = "User: hello<eos>Assistant: "
    with Raw(two_users, "tml-anna") as raw:
        model_id = raw.model(rank=16)
        tokens = [*b"User: hello", 256, *b"Assistant: Hi!", 256]
        body = forward_backward(model_id, 1)
        datum = body["forward_backward_input"]["data"][0]
        datum["model_input"]["chunks"][0]["tokens"] = tokens[:-1]
        weights = [float(place >= len(tokens) - 5) for place in range(len(tokens) - 1)]
        datum["loss_fn_inputs"] = {
            "target_tokens": {"data": tokens[1:], "dtype": "int64"},
            "weights": {"data": weights, "dtype": "float32"},
        }
        for step in range(15):
            raw.do("forward_backward", {**body, "seq_id": 2 * step + 1})
            raw.do("optim_step", optim_step(model_id, 2 * step + 2, 1e-2))
        path = raw.do("save_weights_for_sampler", save(model_id, 31, "hello"))["path"]
    http = client(two_users, "tml-anna")
    for model in (path, f"{MODEL};{path}"):
        made = http.chat.completions.create(model=model, messages=HELLO, temperature=0)
        assert (made.model, made.choices[0].message.content) == (model, "Hi!")
        completed = http.completions.create(model=model, prompt=prompt, temperature=0)
        assert completed.choices[0].text == "Hi!"
    listed = {one.id: one for one in http.models.list()}
    assert listed[path].owned_by == "anna"
    assert listed[path].parent == MODEL
    assert MODEL in listed

    other = client(two_users, "tml-bert")
    assert path not in {one.id for one in other.models.list()}
    with pytest.raises(openai().PermissionDeniedError) as caught:
        other.chat.completions.create(model=path, messages=HELLO)
    assert caught.value.param == "model"


def test_credentials(two_users: str) -> None:
    with pytest.raises(openai().AuthenticationError) as caught:
        client(two_users, "tml-nobody").models.list()
    assert caught.value.body["code"] == "invalid_api_key"
    url = f"{two_users}/oai/api/v1/models"
    for headers, status in (
        ({"X-API-Key": "tml-anna"}, 200),
        ({"Authorization": "Bearer tml-anna", "X-API-Key": "tml-nobody"}, 200),
        ({"Authorization": "Basic dG1sLWFubmE="}, 401),
        ({}, 401),
    ):
        response = httpx.get(url, headers=headers)
        assert response.status_code == status
        assert response.json().keys() == ({"object", "data"} if status == 200 else {"error"})
    native = httpx.get(f"{two_users}/api/v1/sessions", headers={"Authorization": "Bearer tml-anna"})
    assert native.status_code == 401


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"extra_body": {"reasoning_effort": "extreme"}}, "reasoning_effort"),
        ({"extra_body": {"guided_regex": "a*"}}, "guided_regex"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"max_tokens": 5000}, "max_tokens"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
                ]
            },
            "messages[0].content[0]",
        ),
        ({"model": "nobody/knows"}, "model"),
        ({"model": "tinker://nowhere/sampler_weights/x"}, "model"),
    ],
)
def test_what_is_refused_is_named(two_users: str, asked: dict[str, Any], parameter: str) -> None:
    with pytest.raises((openai().BadRequestError, openai().NotFoundError)) as caught:
        client(two_users, "tml-anna").chat.completions.create(
            **{"model": MODEL, "messages": HELLO, **asked}
        )
    error = caught.value
    assert error.param == parameter
    assert error.type in ("invalid_request_error", "not_found_error")
    assert error.body["message"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"messages": []}, "messages: [] has less than 1 item"),
        ({"seed": "a"}, 'seed: "a" is not of types "null", "integer"'),
        ({"messages": [{"role": "user"}]}, "messages[0].content is missing"),
    ],
)
def test_a_message_names_its_parameter(two_users: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(openai().BadRequestError) as caught:
        client(two_users, "tml-anna").chat.completions.create(
            **{"model": MODEL, "messages": HELLO, **asked}
        )
    assert caught.value.body["message"] == message


def test_what_a_prompt_may_be_is_told(two_users: str) -> None:
    with pytest.raises(openai().BadRequestError) as caught:
        client(two_users, "tml-anna").completions.create(model=MODEL, prompt=[])
    assert caught.value.body["message"] == (
        "prompt: [] is not accepted; expected a string, a list of strings, a list of integers or a list of lists of integers"
    )


def test_a_route_that_is_not_there_is_told_with_those_that_are(two_users: str) -> None:
    with pytest.raises(openai().NotFoundError) as caught:
        client(two_users, "tml-anna").responses.create(model=MODEL, input="hello")
    assert caught.value.body["message"] == (
        "This server has no POST /oai/api/v1/responses; it has /oai/api/v1/chat/completions, "
        "/oai/api/v1/completions, /oai/api/v1/models"
    )


def test_parameters_without_an_effect_are_accepted(saying: Callable[..., Said]) -> None:
    completion = client(saying("ok").url).chat.completions.create(
        model=MODEL,
        messages=HELLO,
        user="u",
        metadata={"a": "b"},
        store=False,
        frequency_penalty=0,
        presence_penalty=0.0,
        logit_bias={},
        response_format={"type": "text"},
        service_tier="auto",
        parallel_tool_calls=True,
    )
    assert completion.choices[0].message.content == "ok"


class Held(ScriptedEngine):
    """Samples once the gate is open."""

    def __init__(self) -> None:
        super().__init__("one")
        self.reached, self.gate = threading.Event(), threading.Event()

    def sample(self, *arguments: Any) -> Any:
        self.reached.set()
        assert self.gate.wait(60)
        return super().sample(*arguments)


def test_a_prompt_beside_one_that_is_too_long_is_not_sampled() -> None:
    engine = Held()
    with LocalServer(engine=engine) as server, ThreadPoolExecutor() as threads:
        ask = partial(client(server.url).completions.create, model=MODEL, max_tokens=5)
        first = threads.submit(ask, prompt="first")
        assert engine.reached.wait(60)
        with pytest.raises(openai().BadRequestError, match="context window"):
            ask(prompt=["second", "x" * 5000])
        engine.gate.set()
        assert first.result(60).choices[0].text == "one"
        assert ask(prompt="third").choices[0].text == "one"
    assert engine.prompts == ["first", "third"]


@pytest.mark.parametrize(
    ("route", "wrong", "expected"),
    [
        ("completions", {"prompt": [[1], "a"]},
         "a string, a list of strings, a list of integers or a list of lists of integers"),
        ("chat/completions", {"messages": [{"role": "user", "content": 5}]},
         "a string, a list of parts or null"),
    ],
)  # fmt: skip
def test_what_a_union_accepts_is_said_in_words(
    two_users: str, route: str, wrong: dict[str, Any], expected: str
) -> None:
    response = httpx.post(
        f"{two_users}/oai/api/v1/{route}",
        headers={"Authorization": "Bearer tml-anna"},
        json={"model": MODEL, **wrong},
    )
    assert response.status_code == 400
    assert response.json()["error"]["message"].endswith(f" is not accepted; expected {expected}")
