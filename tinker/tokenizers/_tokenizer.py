"""The tokenizer that users hold."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsIndex, TypeAlias, overload

from . import _assistant_masks, _chat_template
from ._backend import Backend
from ._chat_template import Span
from ._errors import TokenizerError
from ._tokenized_text import TokenizedText, tokenized

Ids: TypeAlias = "int | Iterable[SupportsIndex]"
Messages: TypeAlias = Sequence[Mapping[str, Any]]

_NO_LIMIT = int(1e30)
"""What `model_max_length` is where the files set none."""

NAMED_TOKENS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)


class Tokenizer:
    """Text to ids and back, with the methods that one calls on a Hugging Face tokenizer.

    Made by `get_tokenizer`. Can be used by several threads at once, pickled and copied.
    """

    is_fast = True

    def __init__(
        self,
        backend: Backend,
        *,
        name_or_path: str,
        named_tokens: Mapping[str, str] | None = None,
        extra_special_tokens: Sequence[str] = (),
        chat_template: str | Mapping[str, str] | None = None,
        model_max_length: int | None = None,
    ) -> None:
        self._backend = backend
        self._named = {name: token for name, token in (named_tokens or {}).items() if token}
        self._extra_special_tokens = tuple(extra_special_tokens)
        self.name_or_path = name_or_path
        self.chat_template = chat_template
        self.model_max_length = model_max_length or _NO_LIMIT

    def __repr__(self) -> str:
        return f"Tokenizer({self.name_or_path!r}, {len(self)} tokens)"

    def __deepcopy__(self, memo: dict[int, object]) -> Tokenizer:
        # The backend never changes, and is large.
        other = copy.copy(self)
        other._named = dict(self._named)
        return other

    # --- text to ids and back -------------------------------------------------------------------

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of `text`.

        Special tokens written out in the text become theirs. `add_special_tokens` adds what the
        model expects around a text, such as a beginning-of-text token; False adds nothing.
        """
        return self._backend.encode(_check_text(text), add_special_tokens=add_special_tokens)

    @overload
    def decode(
        self,
        token_ids: Ids,
        skip_special_tokens: bool = ...,
        *,
        clean_up_tokenization_spaces: bool = ...,
    ) -> str: ...
    @overload
    def decode(
        self,
        token_ids: Sequence[Sequence[int]],
        skip_special_tokens: bool = ...,
        *,
        clean_up_tokenization_spaces: bool = ...,
    ) -> list[str]: ...
    def decode(
        self,
        token_ids: Ids | Sequence[Sequence[int]],
        skip_special_tokens: bool = False,
        *,
        clean_up_tokenization_spaces: bool = False,
    ) -> str | list[str]:
        """The text of `token_ids`: one id, a sequence or an array of them, or a batch of these.

        Bytes that are not UTF-8, as at the edge of a cut character, become U+FFFD. Ids beyond the
        vocabulary, which a model with a padded one may sample, have no text. Spaces are never cleaned
        up: text comes back as it went in.

        Raises:
            TokenizerError: An id is negative or no integer.
        """
        if clean_up_tokenization_spaces:
            raise TokenizerError(
                "clean_up_tokenization_spaces=True is not supported: it would change the text."
            )
        ids = _listed(token_ids)
        if ids and isinstance(ids[0], list | tuple):
            return [self._decode(row, skip_special_tokens) for row in ids]
        return self._decode(ids, skip_special_tokens)

    def _decode(self, ids: list[int], skip_special_tokens: bool) -> str:
        return self._backend.decode(ids, skip_special_tokens=skip_special_tokens)

    def batch_encode(
        self, texts: Iterable[str], add_special_tokens: bool = True
    ) -> list[list[int]]:
        """`encode` for each of `texts`."""
        return [self.encode(text, add_special_tokens) for text in texts]

    def batch_decode(
        self, sequences: Iterable[Ids], skip_special_tokens: bool = False, **kwargs: Any
    ) -> list[str]:
        """`decode` for each of `sequences`."""
        return [self.decode(ids, skip_special_tokens, **kwargs) for ids in sequences]

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> TokenizedText:
        """The ids of `text` as `input_ids`, with an `attention_mask` of ones; lists for a list.

        `truncation` cuts the ids behind `max_length`, by default the model's. `return_tensors` "np" or
        "pt" makes arrays or torch tensors, always of a batch, whose rows must have one length: there is
        no padding.
        """
        longest = self._longest(padding, truncation, max_length)
        single = isinstance(text, str)
        rows = self.batch_encode([text] if isinstance(text, str) else text, add_special_tokens)
        rows = [row[:longest] for row in rows]
        return tokenized(rows, single=single, return_tensors=return_tensors)

    def _longest(
        self, padding: bool | str, truncation: bool | str, max_length: int | None
    ) -> int | None:
        """How many ids are kept; None: all."""
        if padding not in (False, None, "do_not_pad"):
            raise TokenizerError(
                f"padding={padding!r} is not supported: rows keep their lengths. Use padding=False."
            )
        if truncation in (False, None, "do_not_truncate"):
            if max_length is not None:
                raise TokenizerError(f"max_length={max_length} needs truncation=True.")
            return None
        if truncation not in (True, "longest_first", "only_first"):
            raise TokenizerError(
                f"truncation={truncation!r} is not supported; it can be True, False,"
                " 'longest_first', 'only_first' or 'do_not_truncate'."
            )
        if max_length is None and self.model_max_length >= _NO_LIMIT:
            raise TokenizerError("truncation needs max_length: the tokenizer's files set none.")
        longest = self.model_max_length if max_length is None else max_length
        if longest < 0:
            raise TokenizerError(f"max_length is {longest}; it must not be negative.")
        return longest

    # --- chat -----------------------------------------------------------------------------------

    def get_chat_template(
        self, chat_template: str | None = None, tools: Sequence[Mapping[str, Any]] | None = None
    ) -> str:
        """The template in use: `chat_template`, a name among several or a text, else the default.

        Raises TokenizerError when the tokenizer's files have none.
        """
        own = self.chat_template
        if isinstance(own, Mapping):
            if chat_template is not None and chat_template in own:
                return own[chat_template]
            if chat_template is None:
                name = "tool_use" if tools is not None and "tool_use" in own else "default"
                if name in own:
                    return own[name]
                raise TokenizerError(
                    f"{self.name_or_path} has no default chat template: choose one of"
                    f" {sorted(own)} with chat_template=."
                )
        template = chat_template or own
        if not isinstance(template, str):
            raise TokenizerError(
                f"The tokenizer files of {self.name_or_path} have no chat template: pass one with"
                " chat_template=, or build the prompt and encode it."
            )
        return template

    def apply_chat_template(
        self,
        conversation: Messages | Sequence[Messages],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        tokenize: bool = True,
        sanitize_control_tokens: bool = False,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_dict: bool = False,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Render the messages of a conversation, or of several, as the model's prompt.

        Args:
            conversation: Dicts with `role` and `content`, or a list of such lists.
            tools: JSON schemas of functions.
            documents: Dicts, for templates that read them.
            chat_template: Template to use instead of the tokenizer's, by name or as text.
            add_generation_prompt: Open the assistant's next message.
            continue_final_message: Leave the last message open at the end of its content, or of the field
                with this name.
            tokenize: Return ids; False: text.
            sanitize_control_tokens: Not supported.
            padding: Not supported.
            truncation: Cut the ids behind `max_length`.
            max_length: Ids at most, with `truncation`; by default the model's limit.
            return_tensors: "np" or "pt"; a list of ids by default.
            return_dict: Return `input_ids` and `attention_mask` in a dict instead of the ids.
            return_assistant_tokens_mask: Add `assistant_masks`: 1 for each token that the template marks with
                `{% generation %}`. Needs `return_dict`. `trained_tokens` also finds the assistant's tokens
                where a template has no such mark.
            tokenizer_kwargs: Further arguments of `Tokenizer.__call__`.
            kwargs: Variables of the template.

        Raises:
            TokenizerError: There is no template, it refuses the messages, or an argument is not supported.
        """
        if isinstance(conversation, str) or not isinstance(conversation, Sequence):
            raise TypeError(
                f"A conversation is a list of messages, not {type(conversation).__name__}."
            )
        template = self.get_chat_template(chat_template, tools)
        if sanitize_control_tokens:
            raise TokenizerError("sanitize_control_tokens=True is not supported.")
        if return_assistant_tokens_mask:
            _assistant_masks.check(
                template,
                tokenize=tokenize,
                return_dict=return_dict,
                continues=bool(continue_final_message),
            )
        batched = bool(conversation) and isinstance(conversation[0], list | tuple)
        conversations: Any = conversation if batched else [conversation]
        options: dict[str, Any] = {
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": add_generation_prompt,
            "variables": {**self.special_tokens_map, **kwargs},
        }
        arguments: dict[str, Any] = {
            "padding": padding,
            "truncation": truncation,
            "max_length": max_length,
            "return_tensors": return_tensors,
            **(tokenizer_kwargs or {}),
        }
        if return_assistant_tokens_mask:
            return self._with_assistant_masks(
                [_chat_template.render_marked(template, one, **options) for one in conversations],
                single=not batched,
                **arguments,
            )
        texts = [
            _chat_template.render(
                template, one, continue_final_message=continue_final_message, **options
            )
            for one in conversations
        ]
        if not tokenize:
            return texts if batched else texts[0]
        # The template has written the special tokens.
        encoded = self(texts if batched else texts[0], add_special_tokens=False, **arguments)
        return encoded if return_dict else encoded.input_ids

    def _with_assistant_masks(
        self,
        marked: Sequence[tuple[str, Sequence[Span]]],
        *,
        single: bool,
        padding: bool | str,
        truncation: bool | str,
        max_length: int | None,
        return_tensors: str | None,
    ) -> TokenizedText:
        longest = self._longest(padding, truncation, max_length)
        masked = [_assistant_masks.mask_of(self._backend, text, spans) for text, spans in marked]
        return tokenized(
            [tokens[:longest] for tokens, _ in masked],
            single=single,
            return_tensors=return_tensors,
            assistant_masks=[list(map(int, mask[:longest])) for _, mask in masked],
        )

    # --- tokens ---------------------------------------------------------------------------------

    def tokenize(self, text: str, add_special_tokens: bool = False) -> list[str]:
        """The tokens of `text` as the vocabulary writes them."""
        return self.convert_ids_to_tokens(self.encode(text, add_special_tokens))

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        """The id of a token as the vocabulary writes it, or of each of several.

        An unknown token's is `unk_token_id`, which is None for most models.
        """
        if isinstance(tokens, str):
            id_ = self._backend.token_to_id(tokens)
            return self.unk_token_id if id_ is None and tokens != self.unk_token else id_
        return [self.convert_tokens_to_ids(token) for token in tokens]

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = ...) -> str: ...
    @overload
    def convert_ids_to_tokens(
        self, ids: Iterable[SupportsIndex], skip_special_tokens: bool = ...
    ) -> list[str]: ...
    def convert_ids_to_tokens(
        self, ids: int | Iterable[SupportsIndex], skip_special_tokens: bool = False
    ) -> str | list[str]:
        """The token of an id as the vocabulary writes it, or of each of several."""
        if isinstance(ids, int):
            return self._token(ids)
        left_out = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._token(id_) for id_ in _listed(ids) if id_ not in left_out]

    def _token(self, id_: int) -> str:
        token = self._backend.id_to_token(id_)
        if token is None:
            raise TokenizerError(f"{id_} is not a token id of {self.name_or_path}.")
        return token

    def convert_tokens_to_string(self, tokens: Iterable[str]) -> str:
        """The text of tokens as the vocabulary writes them."""
        ids = []
        for token in tokens:
            id_ = self._backend.token_to_id(token)
            if id_ is None:
                raise TokenizerError(f"{token!r} is not a token of {self.name_or_path}.")
            ids.append(id_)
        return self._decode(ids, skip_special_tokens=False)

    def get_vocab(self) -> dict[str, int]:
        """Each token, as the vocabulary writes it, with its id."""
        return self._backend.vocab()

    @property
    def vocab(self) -> dict[str, int]:
        return self.get_vocab()

    def get_added_vocab(self) -> dict[str, int]:
        """The added tokens with their ids."""
        return {token.content: token.id for token in self._backend.added_tokens}

    @property
    def vocab_size(self) -> int:
        """The number of tokens without the added ones; `len(tokenizer)` counts them too."""
        return self._backend.vocab_size

    def __len__(self) -> int:
        added = self._backend.added_tokens
        return self.vocab_size + sum(token.id >= self.vocab_size for token in added)

    # --- special tokens -------------------------------------------------------------------------

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The special tokens that have a name, as `bos_token` and so on."""
        return dict(self._named)

    @property
    def all_special_tokens(self) -> list[str]:
        """The named special tokens, then the extra ones that the files list."""
        return list(dict.fromkeys([*self._named.values(), *self._extra_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        ids = (self._backend.token_to_id(token) for token in self.all_special_tokens)
        return [id_ for id_ in ids if id_ is not None]

    def _get_named(self, name: str) -> str | None:
        return self._named.get(name)

    def _set_named(self, name: str, token: str | None) -> None:
        if token is None:
            self._named.pop(name, None)
        elif self._backend.token_to_id(token) is None:
            raise TokenizerError(f"{token!r} is not a token of {self.name_or_path}.")
        else:
            self._named[name] = token

    def _get_named_id(self, name: str) -> int | None:
        token = self._named.get(name)
        return None if token is None else self._backend.token_to_id(token)

    # Written out one by one for the sake of editors and type checkers.
    @property
    def bos_token(self) -> str | None:
        return self._get_named("bos_token")

    @bos_token.setter
    def bos_token(self, token: str | None) -> None:
        self._set_named("bos_token", token)

    @property
    def bos_token_id(self) -> int | None:
        return self._get_named_id("bos_token")

    @property
    def eos_token(self) -> str | None:
        return self._get_named("eos_token")

    @eos_token.setter
    def eos_token(self, token: str | None) -> None:
        self._set_named("eos_token", token)

    @property
    def eos_token_id(self) -> int | None:
        return self._get_named_id("eos_token")

    @property
    def pad_token(self) -> str | None:
        return self._get_named("pad_token")

    @pad_token.setter
    def pad_token(self, token: str | None) -> None:
        self._set_named("pad_token", token)

    @property
    def pad_token_id(self) -> int | None:
        return self._get_named_id("pad_token")

    @property
    def unk_token(self) -> str | None:
        return self._get_named("unk_token")

    @property
    def unk_token_id(self) -> int | None:
        return self._get_named_id("unk_token")


def _check_text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"A tokenizer encodes a str, not {type(text).__name__}.")
    return text


def _listed(ids: Any) -> list[Any]:
    """Ids as a list, whether they come as one, as a sequence, an array or a tensor."""
    if isinstance(ids, list):
        return ids
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    if isinstance(ids, int):
        return [ids]
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"Token ids are ints, not {type(ids).__name__}.")
    return list(ids)
