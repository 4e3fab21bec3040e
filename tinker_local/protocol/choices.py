"""The choices of one sample, assembled while their tokens are drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from attrs import define, field

from tinker_local.chat.text import Assembler, Piece
from tinker_local.errors import OperationFailed, Refusal
from tinker_local.protocol.contract import document
from tinker_local.protocol.drawing import Drawing, Token


@define
class Choice:
    assembler: Assembler
    tokens: list[Token] = field(factory=list)
    pieces: list[Piece] = field(factory=list)
    """All tokens, once the sample has ended."""
    stop_reason: str = "length"
    """`stop` or `length`, once the sample has ended."""

    def text(self, kind: str) -> str:
        return "".join(piece.text for piece in self.pieces if piece.kind == kind)


async def drawn(
    drawing: Drawing, choices: Sequence[Choice]
) -> AsyncIterator[tuple[int, list[Piece]]]:
    """The parts of the choices, each with its index. All choices are complete when this ends."""
    async with aclosing(drawing.tokens()) as tokens:
        async for token in tokens:
            choice = choices[token.index]
            choice.tokens.append(token)
            if pieces := choice.assembler.push(token.id):
                choice.pieces += pieces
                yield token.index, pieces
    for index, (choice, sequence) in enumerate(
        zip(choices, drawing.result["sequences"], strict=True)
    ):
        choice.stop_reason = sequence["stop_reason"]
        pieces = choice.assembler.finish()
        choice.pieces += pieces
        yield index, pieces


async def complete(drawing: Drawing, choices: Sequence[Choice]) -> None:
    """Wait until all choices are complete; a sample that fails is a refusal."""
    try:
        async for _ in drawn(drawing, choices):
            pass
    except OperationFailed as failure:
        raise refusal_of(failure) from None


def refusal_of(failure: OperationFailed) -> Refusal:
    return Refusal(400 if failure.category == "user" else 500, str(failure))


def sample_request(
    prompt: Sequence[int], stops: Sequence[str | int], asked: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Make a `SampleRequest` from parameters that all three routes have."""
    params = {
        "max_tokens": asked.get("max_tokens"),
        "temperature": asked.get("temperature"),
        "top_p": asked.get("top_p"),
        "top_k": asked.get("top_k") or -1,
        "seed": asked.get("seed"),
        "stop": list(stops) or None,
    }
    return {
        "prompt": {"chunks": [{"type": "encoded_text", "tokens": list(prompt)}]},
        "sampling_params": {name: value for name, value in params.items() if value is not None},
        **more,
    }


def check_parameters(
    schema: str,
    body: Mapping[str, Any],
    ignored: frozenset[str],
    neutral: Mapping[str, Callable[[Any], bool]],
) -> None:
    """Reject a parameter that the schema does not have.

    Args:
        schema: Name of the request's schema in the contract.
        body: The request.
        ignored: Parameters that have no effect on the result.
        neutral: Unsupported parameters, each with a test for values that have no effect.
    """
    known = document()["components"]["schemas"][schema]["properties"]
    for name, value in body.items():
        if name in known or name in ignored or (name in neutral and neutral[name](value)):
            continue
        text = f"Unsupported parameter: {name!r} is not supported by this server"
        if name in neutral:
            text = f"Unsupported value: {name!r} is {value!r}, which this server does not support"
        raise Refusal(400, text, parameter=name, code="unsupported_parameter")
