"""What one server turns out to speak, learned from its answers and kept for the session.

Servers of this API differ, and few say how. Nothing here is configured; each trait has its first guess, the
answer that overrules it, and what the client does then:

| trait | first guess | overruled by | then |
|---|---|---|---|
| `training_encoding` | protobuf where there is a `client/config`, else JSON | 400, 415, 422 or 500 to the first batch in it | the other encoding, once, for that batch and all later ones |
| forward passes | a `forward_backward` with `forward_only` in protobuf, `forward` in JSON | - | follows the encoding |
| encoding of results | protobuf is asked for | a JSON body | read as JSON |
| `creates_from_checkpoint` | one `load_weights` with a session | 400, 404, 405 or 422 | `weights_info`, `create_model`, then `load_weights` as the run's first operation |
| `client/config`, `dynamic_config` | there | 404, 405 | defaults |
| `sessions/…/finish` | there | 404, 405 | nothing: the session ends when heartbeats stop |
| `create_sampling_session` | answers with the sampler | a promise | the promise is waited for |
| `sample_sequence_ids` | in the promise | absent | made from the request_id and the number of the sample |
| `prompt_logprobs` | one for each token, the first null | one fewer | the null is put in front |
| tags (`type`) of results | there | absent | the operation that made the promise tells |

Members of requests that are newer than some servers are sent only when the user asks for what they mean.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

from attrs import define, field


class Encoding(StrEnum):
    JSON = "json"
    PROTOBUF = "protobuf"

    @property
    def other(self) -> Encoding:
        return Encoding.JSON if self is Encoding.PROTOBUF else Encoding.PROTOBUF


REFUSALS_OF_AN_ENCODING = frozenset({400, 415, 422, 500})
"""Statuses by which servers say that they do not read a body. One of them answers 500, because it cannot
print the bytes in its 422."""
REFUSALS_OF_A_FORM = frozenset({400, 404, 405, 422})
"""Statuses by which servers say that they do not know a route, or a form of a request."""


@define
class Traits:
    has_client_config: bool = True
    training_encoding: Encoding | None = None
    """None until a batch has been accepted."""
    creates_from_checkpoint: bool = True
    learning: asyncio.Lock = field(factory=asyncio.Lock)
    """Held by the batch that tries which encoding is accepted; the others wait for what it learns."""

    @property
    def first_guess(self) -> Encoding:
        return Encoding.PROTOBUF if self.has_client_config else Encoding.JSON
