"""What one server turns out to speak, learned from its answers and kept for the session.

Servers of this API differ, and few say how. Nothing here is configured; each trait has its first guess, the
answer that overrules it, and what the client does then:

| trait | first guess | overruled by | then |
|---|---|---|---|
| `training_encoding` | protobuf where there is a `client/config`, else JSON | to the first batch: one 415, two 400 or 422, or three 500, and then a 2xx in the other encoding | the other encoding for that batch and all later ones; a warning says so |
| forward passes | a `forward_backward` with `forward_only` in protobuf, `forward` in JSON | - | follows the encoding |
| encoding of results | protobuf is asked for | a JSON body | read as JSON |
| `creates_from_checkpoint` | one `load_weights` with a session | 400, 404, 405 or 422 | `weights_info`, `create_model`, then `load_weights` as the run's first operation |
| `streams_samples` | `stream_sample` | 404, 405, when the same sample is taken as a whole | tokens when the sample is complete |
| the completions feed | `retrieve_futures` where the settings say so | two refusals in a row, or any failure that stays | each sample is asked for by itself |
| ids of clones | `join_sampling_session` where the settings say so | 404, 405 | by chance |
| `client/config`, `dynamic_config` | there | 404, 405 | defaults |
| `sessions/…/finish` | there | 404, 405 | nothing: the session ends when heartbeats stop |
| `create_sampling_session` | answers with the sampler | a promise | the promise is waited for |
| `samplers/…` | there | 404, 405 | `get_info` of the checkpoint's run tells its base model; else only what needs it fails |
| `sample_sequence_ids` | in the promise | absent | made from the request_id and the number of the sample |
| `prompt_logprobs` | one for each token, the first null | one fewer | the null is put in front |
| `prompt_logprobs_last_n` | obeyed | more scores than asked for | the others are dropped |
| samplers without a name | saved | 422 that wants a `path`, or an answer that has one | saved under a name, and a sampler made of that |
| paths of saved samplers | with their kind | two segments | the kind is put in |
| times | RFC 3339 | a number, null | seconds since 1970; its first second, where there must be one |
| what is not finite in JSON results | null | `NaN`, `Infinity` | read as what they say; null is NaN |
| tags (`type`) of answers | there | absent, null | the operation tells |
| members of requests | known | 422 that calls them extra | left out from then on where they only inform or save work (`display_name`, `user_metadata`, `prompt_logprobs_last_n`); else it is the error |
| 5xx, 429, and 408 to a poll | may pass | words that say what failed, or how many are allowed | final, like a 4xx |
| `{}` as a result | unusable: asked for again | no `client/config` | an empty result |
| failed operations | use up their seq_id | "Sequence conflict: expected …" | the number is used up by a forward pass over one token, and the request is sent again |

A missing route (404, 405) is believed when it is told twice.

Members of requests that are newer than some servers are sent only when the user asks for what they mean.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from enum import StrEnum

from attrs import define, field


class Encoding(StrEnum):
    JSON = "json"
    PROTOBUF = "protobuf"

    @property
    def other(self) -> Encoding:
        return Encoding.JSON if self is Encoding.PROTOBUF else Encoding.PROTOBUF


REFUSALS_OF_AN_ENCODING = {400: 2, 415: 1, 422: 2, 500: 3}
"""Statuses by which servers say that they do not read a body, and how often one is repeated before it is believed: only
415 says nothing else. One server returns 500, because it cannot print the bytes in its 422."""
REFUSALS_OF_A_ROUTE = (404, 405)
"""Statuses by which servers say that they do not know a route."""
REFUSALS_OF_A_FORM = frozenset({400, 404, 405, 422})
"""Statuses by which servers say that they do not know a route, or a form of a request."""
DISPENSABLE_MEMBERS = frozenset({"display_name", "user_metadata", "prompt_logprobs_last_n"})
"""Members that only inform, or save work: better left out than a reason to fail."""

_NO_ROUTE = frozenset({"", "not found", "method not allowed"})
_FINAL_STATUSES = frozenset({501, 505})
_FINAL_WORDS = re.compile(
    r"^Failed to (create|retrieve|unload) |^Future failed: |^(Model|Sampler|Checkpoint) \w+ failed: "
    r"|^Unknown error$|^Max \d+ concurrent sessions$|Traceback \(most recent call last\)"
)
_EXPLANATIONS = {
    "LoadWeights is not permitted": "it loads weights only as the first operation of a run, by "
    "create_training_client_from_state"
}
_PATH_WITHOUT_KIND = re.compile(r"tinker://([^/]+)/([^/]+)")
_CONFLICT = re.compile(r"Sequence conflict: expected (\d+), got (\d+)")


def lacks_route(status: int, body: object) -> bool:
    """Whether an answer says that there is no such route, not that there is no such thing."""
    said = str(_detail(body) or "").strip().lower()
    return status in (404, 405) and (said in _NO_ROUTE or is_html(body))


def is_html(body: object) -> bool:
    """Whether a web server has answered, or a proxy, in place of one of this API."""
    return isinstance(body, str) and body.lstrip()[:5].lower() in ("<html", "<!doc")


def is_final(status: int, body: object) -> bool:
    """Whether an answer that is usually worth another try says that this one is not."""
    return status in _FINAL_STATUSES or bool(_FINAL_WORDS.search(str(_detail(body))))


def unknown_members(body: object) -> list[str]:
    """The members of a request that a 422 calls extra."""
    return [where[-1] for where in _issues(body, "extra_forbidden")]


def wants_a_name(body: object) -> bool:
    """Whether a 422 asks for the name that a sampler need not have."""
    return any(where[-1] == "path" for where in _issues(body, "missing"))


def is_misread(body: object) -> bool:
    """Whether a 422 asks for what is sent, but in another place."""
    return any(where[0] in ("query", "header", "path") for where in _issues(body, "missing"))


def explanation(detail: str) -> str | None:
    """What an answer's words mean to the caller, if they do not say it."""
    return next((text for words, text in _EXPLANATIONS.items() if words in detail), None)


def documented_path(path: str, kind: str) -> str:
    """A tinker path with its kind, which some servers leave out."""
    short = _PATH_WITHOUT_KIND.fullmatch(path)
    return f"tinker://{short[1]}/{kind}/{short[2]}" if short else path


def expected_seq_id(message: str) -> int | None:
    """The seq_id a server waits for, if this is its refusal of another one."""
    conflict = _CONFLICT.search(message)
    return int(conflict[1]) if conflict else None


def _issues(body: object, kind: str) -> Iterator[list[str]]:
    """Where the issues of one kind are that a 422 lists."""
    issues = _detail(body)
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict) and issue.get("type") == kind:
            yield [str(part) for part in issue.get("loc") or "?"]


def _detail(body: object) -> object:
    return body.get("detail") if isinstance(body, dict) else body


@define
class Traits:
    has_client_config: bool = True
    training_encoding: Encoding | None = None
    """None until a batch has been accepted."""
    creates_from_checkpoint: bool = True
    streams_samples: bool = True
    saves_without_a_name: bool = True
    learning: asyncio.Lock = field(factory=asyncio.Lock)
    """Held by the batch that tries which encoding is accepted; the others wait for what it learns."""

    @property
    def returns_empty_results(self) -> bool:
        """Whether `{}` is a result: skyrl-tx 0.3.0, which has no client/config, returns it for what has no numbers."""
        return not self.has_client_config

    @property
    def first_guess(self) -> Encoding:
        return Encoding.PROTOBUF if self.has_client_config else Encoding.JSON
