"""What one server supports, learned from its responses and kept for the session.

Servers of this API differ, and few tell how. Nothing here is configured; each trait has a first guess, the response that
overrules it, and what the client does then:

| trait | first guess | overruled by | then |
|---|---|---|---|
| `training_encoding` | protobuf where there is a `client/config`, else JSON | to the first batch: one 415, two 400 or 422, or three 500, and then a 2xx in the other encoding | the other encoding for that batch and all later ones; a warning is logged |
| forward passes | a `forward_backward` with `forward_only` in protobuf, `forward` in JSON | - | follows the encoding |
| encoding of results | protobuf is requested | a JSON body | read as JSON |
| `creates_from_checkpoint` | one `load_weights` with a session | 400, 404, 405 or 422 | `weights_info`, `create_model`, then `load_weights` as the run's first operation |
| `streams_samples` | `stream_sample` | 404, 405, if the same request succeeds without streaming | tokens when the sample is complete |
| the completions feed | `retrieve_futures` if the settings enable it | two refusals in a row, or any lasting failure | each sample is polled for by itself |
| ids of clones | `join_sampling_session` if the settings enable it | 404, 405 | random ids |
| `client/config`, `dynamic_config` | exist | 404, 405 | defaults |
| `sessions/…/finish` | exists | 404, 405 | nothing: the session ends when heartbeats stop |
| `create_sampling_session` | returns the sampler | a promise | the client waits for the promise |
| `samplers/…` | exists | 404, 405 | `get_info` of the checkpoint's run has the base model; otherwise only what needs it fails |
| `sample_sequence_ids` | in the promise | absent | made from the request_id and the index of the sample |
| `prompt_logprobs` | one for each token, the first null | one fewer | the null is added |
| `prompt_logprobs_last_n` | obeyed | more scores than asked for | the others are dropped |
| samplers without a name | saved | 422 that requires a `path`, or a response with one | saved under a name, and a sampler created from that |
| paths of saved samplers | with their kind | two segments | the kind is added |
| times | RFC 3339 | no zone; a number, null | UTC; seconds since 1970, 0 if a time is required |
| numbers in JSON results that are not finite | null | `NaN`, `Infinity` | read as such; null is NaN |
| tags (`type`) of responses | present | absent, null | the operation tells the type |
| fields of requests | known | 422 that calls them extra | left out from then on if they only inform or save work (`display_name`, `user_metadata`, `prompt_logprobs_last_n`); otherwise the error is raised |
| 5xx, 429, and 408 to a poll | temporary | a message that says what failed, or how many are allowed | final, like a 4xx |
| `{}` as a result | unusable: polled for again | no `client/config` | an empty result |
| failed operations | use up their seq_id | "Sequence conflict: expected …" | a forward pass over one token uses up the number, and the request is sent again |
| a 409 to a submission | another object has the name | a message that another request has the number | the run accepts no more operations |

A missing route (404, 405) counts only after a second attempt.

Fields of requests that are newer than some servers are sent only if the user asks for their effect.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from attrs import define, field


class Encoding(StrEnum):
    JSON = "json"
    PROTOBUF = "protobuf"

    @property
    def other(self) -> Encoding:
        return Encoding.JSON if self is Encoding.PROTOBUF else Encoding.PROTOBUF


REFUSALS_OF_AN_ENCODING = {400: 2, 415: 1, 422: 2, 500: 3}
"""Status codes of servers that cannot read a body, and how often each must be returned before it counts: only 415 is
unambiguous. One server returns 500, because it cannot print the bytes in its 422."""
REFUSALS_OF_A_ROUTE = (404, 405)
"""Status codes of servers that do not know a route."""
REFUSALS_OF_A_FORM = frozenset({400, 404, 405, 422})
"""Status codes of servers that do not know a route or a form of a request."""
DISPENSABLE_FIELDS = frozenset({"display_name", "user_metadata", "prompt_logprobs_last_n"})
"""Fields that only inform or save work: leaving them out is better than failing."""

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
_TAKEN = re.compile(r"seq_id \d+ of .* was used by a different request|sequence number was reused")
_CONFLICT = re.compile(r"Sequence conflict: expected (\d+), got (\d+)")


def lacks_route(status: int, body: object) -> bool:
    """Whether a response says that the route is missing, not the object."""
    said = str(_detail(body) or "").strip().lower()
    return status in (404, 405) and (said in _NO_ROUTE or is_html(body))


def is_html(body: object) -> bool:
    """Whether the response comes from a web server or a proxy instead of a server of this API."""
    return isinstance(body, str) and body.lstrip()[:5].lower() in ("<html", "<!doc")


def is_final(status: int, body: object) -> bool:
    """Whether a response that is usually retried says that it is final."""
    return status in _FINAL_STATUSES or bool(_FINAL_WORDS.search(str(_detail(body))))


def unknown_fields(body: object) -> list[str]:
    """The fields of a request that a 422 calls extra."""
    return [where[-1] for where in _issues(body, "extra_forbidden")]


def wants_a_name(body: object) -> bool:
    """Whether a 422 requires the name of a sampler, which is optional in the contract."""
    return any(where[-1] == "path" for where in _issues(body, "missing"))


def is_misread(body: object) -> bool:
    """Whether a 422 requires something that the request has in another place."""
    return any(where[0] in ("query", "header", "path") for where in _issues(body, "missing"))


def explanation(detail: str) -> str | None:
    """What the message of a response means for the caller, if it does not say so itself."""
    return next((text for words, text in _EXPLANATIONS.items() if words in detail), None)


def documented_path(path: str, kind: str) -> str:
    """Add the kind to a tinker path; some servers leave it out."""
    short = _PATH_WITHOUT_KIND.fullmatch(path)
    return f"tinker://{short[1]}/{kind}/{short[2]}" if short else path


def expected_seq_id(message: str) -> int | None:
    """The seq_id that the server waits for, if it rejected another one."""
    conflict = _CONFLICT.search(message)
    return int(conflict[1]) if conflict else None


def is_number_taken(message: str) -> bool:
    """Whether the server rejected a request because another one has its number."""
    return _TAKEN.search(message) is not None


def _issues(body: object, kind: str) -> Iterator[list[str]]:
    """The locations of the issues of one type in a 422."""
    issues = _detail(body)
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict) and issue.get("type") == kind:
            yield location_of(issue) or ["?"]


def location_of(issue: Mapping[str, object]) -> list[str]:
    """Where an issue of a 422 is, from the outside in; most servers send a list."""
    location = issue.get("loc")
    parts = location if isinstance(location, list) else [] if location is None else [location]
    return [str(part) for part in parts]


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
    """Held by the batch that finds out which encoding is accepted; the others wait for it."""

    @property
    def returns_empty_results(self) -> bool:
        """Whether `{}` is a result: skyrl-tx 0.3.0, which has no client/config, returns it for results without numbers."""
        return not self.has_client_config

    @property
    def first_guess(self) -> Encoding:
        return Encoding.PROTOBUF if self.has_client_config else Encoding.JSON
