# SPDX-License-Identifier: MIT
"""Chat completions in the shape of OpenAI's API: the same parameters in, the same keys out.

Parameters that ask for what is not offered raise UnsupportedError, so that nobody relies on what was not done.
"""
from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Optional, TypedDict, Union, overload

from . import lowlevel
from .chat import Conversation, Message
from .errors import UnsupportedError, UsageError
from .generation import Generation, Piece, Usage
from .info import ModelInfo
from .settings import Settings

FinishReason = Literal["stop", "length"]


class PromptTokensDetails(TypedDict):
    cached_tokens: int


class CompletionUsage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class TopLogprob(TypedDict):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TypedDict):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class Logprobs(TypedDict):
    content: list[TokenLogprob]
    refusal: None


class AnswerMessage(TypedDict):
    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(TypedDict):
    index: int
    message: AnswerMessage
    logprobs: Optional[Logprobs]
    finish_reason: FinishReason


class ChatCompletion(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    system_fingerprint: str


class Delta(TypedDict, total=False):
    role: Literal["assistant"]
    content: str


class ChunkChoice(TypedDict):
    index: int
    delta: Delta
    logprobs: Optional[Logprobs]
    finish_reason: Optional[FinishReason]


class ChatCompletionChunk(TypedDict):
    """A part of a streamed answer. The last one has no choices but the usage, when that was asked for."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Optional[CompletionUsage]
    system_fingerprint: str


class ChatCompletions(ABC):
    """What gives Model its create_chat_completion()."""

    @abstractmethod
    def _answer(self, conversation: Conversation, settings: Settings) -> Generation:
        """Begin to answer."""

    @abstractmethod
    def detokenize_bytes(self, ids: Sequence[int], *, special: bool = False) -> bytes:
        """The bytes of tokens."""

    @property
    @abstractmethod
    def info(self) -> ModelInfo:
        """Facts of the model."""

    # The parameters stand here once for each result: mypy before 1.7 cannot take them from one place.
    @overload
    def create_chat_completion(
        self,
        messages: Sequence[Message],
        *,
        stream: Literal[False] = False,
        model: Optional[str] = None,
        max_tokens: Optional[int] = None,
        max_completion_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_p: Optional[float] = None,
        n: int = 1,
        stop: Union[None, str, Sequence[str]] = None,
        seed: Optional[int] = None,
        presence_penalty: Optional[float] = None,
        frequency_penalty: Optional[float] = None,
        logit_bias: Optional[Mapping[Union[int, str], float]] = None,
        logprobs: bool = False,
        top_logprobs: Optional[int] = None,
        response_format: Optional[Mapping[str, Any]] = None,
        tools: Optional[Sequence[Mapping[str, Any]]] = None,
        tool_choice: Union[None, str, Mapping[str, Any]] = None,
        user: Optional[str] = None,
    ) -> ChatCompletion: ...
    @overload
    def create_chat_completion(
        self,
        messages: Sequence[Message],
        *,
        stream: Literal[True],
        stream_options: Optional[Mapping[str, Any]] = None,
        model: Optional[str] = None,
        max_tokens: Optional[int] = None,
        max_completion_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_p: Optional[float] = None,
        n: int = 1,
        stop: Union[None, str, Sequence[str]] = None,
        seed: Optional[int] = None,
        presence_penalty: Optional[float] = None,
        frequency_penalty: Optional[float] = None,
        logit_bias: Optional[Mapping[Union[int, str], float]] = None,
        logprobs: bool = False,
        top_logprobs: Optional[int] = None,
        response_format: Optional[Mapping[str, Any]] = None,
        tools: Optional[Sequence[Mapping[str, Any]]] = None,
        tool_choice: Union[None, str, Mapping[str, Any]] = None,
        user: Optional[str] = None,
    ) -> Generator[ChatCompletionChunk, None, None]: ...
    def create_chat_completion(
        self, messages: Sequence[Message], *, stream: bool = False, **parameters: Any
    ) -> Union[ChatCompletion, Generator[ChatCompletionChunk, None, None]]:
        """Answer a conversation in the shape of OpenAI's API, with the parameters of that name.

        A dictionary with the keys of a "chat.completion", or with stream=True a generator of
        "chat.completion.chunk" which close() stops. UnsupportedError for tools and for formats other than text; `model` and `user` are
        only repeated or ignored, as a server would. What is left out is the model's own default.
        """
        if not stream and parameters.get("stream_options") is not None:
            raise UsageError("stream_options without stream=True")
        request = _checked(self, flatten(messages), **parameters)
        return _stream(request) if stream else _complete(request)


@dataclass(frozen=True)
class Request:
    """What was asked for, checked."""

    server: ChatCompletions
    messages: Sequence[Message]
    settings: Settings
    n: int
    logprobs: bool
    include_usage: bool
    model: str
    fingerprint: str

    def generations(self) -> Iterator[tuple[int, Generation]]:
        """The choices, one after the other, each with a seed of its own."""
        for index in range(self.n):
            seed = None if self.settings.seed is None else self.settings.seed + index
            conversation = Conversation(self.messages, None, None, None)
            yield index, self.server._answer(conversation, replace(self.settings, seed=seed))


def _checked(
    server: ChatCompletions,
    messages: Sequence[Message],
    stream_options: Optional[Mapping[str, Any]] = None,
    model: Optional[str] = None,
    max_tokens: Optional[int] = None,
    max_completion_tokens: Optional[int] = None,
    n: int = 1,
    logit_bias: Optional[Mapping[Union[int, str], float]] = None,
    logprobs: bool = False,
    top_logprobs: Optional[int] = None,
    response_format: Optional[Mapping[str, Any]] = None,
    tools: Optional[Sequence[Mapping[str, Any]]] = None,
    tool_choice: Union[None, str, Mapping[str, Any]] = None,
    user: Optional[str] = None,
    **same: Any,
) -> Request:
    """The request; UsageError or UnsupportedError before anything is computed. `same` are settings as ours."""
    _refuse_what_is_not_offered(response_format, tools, tool_choice)
    if n < 1:
        raise UsageError(f"n is {n}, at least 1 is needed")
    if top_logprobs is not None and not logprobs:
        raise UsageError("top_logprobs without logprobs=True")
    settings = Settings(
        max_tokens=_one_of(max_tokens, max_completion_tokens),
        logit_bias=_bias_of(logit_bias),
        top_logprobs=top_logprobs or 0,
        **same,
    )
    info = server.info
    return Request(
        server=server,
        messages=messages,
        settings=settings,
        n=n,
        logprobs=logprobs,
        include_usage=bool((stream_options or {}).get("include_usage")),
        model=model or info.name or info.path,
        fingerprint=f"realizar-{lowlevel.realizar_version()}-{info.backend}",
    )


def flatten(messages: Sequence[Message]) -> list[Message]:
    """Messages whose content is a list of text parts, with the parts joined: what templates expect."""
    return [{**m, "content": _text(m["content"])} if isinstance(m.get("content"), list) else m for m in messages]


def _text(parts: list[Mapping[str, Any]]) -> str:
    for part in parts:
        if part.get("type") != "text":
            raise UnsupportedError(f"content of type {part.get('type')!r}: only text is offered")
    return "".join(part["text"] for part in parts)


def _refuse_what_is_not_offered(
    response_format: Optional[Mapping[str, Any]],
    tools: Optional[Sequence[Mapping[str, Any]]],
    tool_choice: Union[None, str, Mapping[str, Any]],
) -> None:
    """UnsupportedError for parameters that promise something of the answer that nothing here sees to."""
    if response_format is not None and response_format.get("type") != "text":
        raise UnsupportedError(f"response_format {response_format.get('type')!r}: only 'text' is offered")
    if tools and tool_choice != "none":
        raise UnsupportedError("tools: calls are not read from the answer; chat(tools=...) gives its plain text")


def _one_of(first: Optional[int], second: Optional[int]) -> Optional[int]:
    """max_tokens by its old name or its new one."""
    if first is not None and second is not None and first != second:
        raise UsageError(f"max_tokens is {first}, but max_completion_tokens {second}")
    return second if first is None else first


def _bias_of(logit_bias: Optional[Mapping[Union[int, str], float]]) -> Optional[dict[int, float]]:
    """Token ids are texts in JSON; -100 forbids a token, as documented there."""
    if logit_bias is None:
        return None
    return {int(id): float("-inf") if bias <= -100 else float(bias) for id, bias in logit_bias.items()}


def _complete(request: Request) -> ChatCompletion:
    """The whole answer."""
    created = int(time.time())
    choices: list[Choice] = []
    usage = Usage(0, 0)
    for index, generation in request.generations():
        pieces = list(generation)
        choices.append(
            {
                "index": index,
                "message": {"role": "assistant", "content": generation.text, "refusal": None},
                "logprobs": _logprobs(request, pieces, generation),
                "finish_reason": _reason(generation),
            }
        )
        usage = _add(usage, generation.usage, index)
    return {
        "id": _id(),
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": choices,
        "usage": _usage(usage),
        "system_fingerprint": request.fingerprint,
    }


def _stream(request: Request) -> Generator[ChatCompletionChunk, None, None]:
    """The answer in parts. Closing the iterator stops it."""
    id, created = _id(), int(time.time())
    usage = Usage(0, 0)

    def chunk(choices: list[ChunkChoice], total: Optional[CompletionUsage] = None) -> ChatCompletionChunk:
        return {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": request.model,
            "choices": choices,
            "usage": total,
            "system_fingerprint": request.fingerprint,
        }

    for index, generation in request.generations():
        with generation:
            yield chunk([_part(index, {"role": "assistant", "content": ""})])
            for piece in generation:
                logprobs = _logprobs(request, [piece], generation)
                if piece or (logprobs and logprobs["content"]):
                    yield chunk([_part(index, {"content": str(piece)}, logprobs)])
            yield chunk([_part(index, {}, None, _reason(generation))])
            usage = _add(usage, generation.usage, index)
    if request.include_usage:
        yield chunk([], _usage(usage))


def _part(
    index: int, delta: Delta, logprobs: Optional[Logprobs] = None, reason: Optional[FinishReason] = None
) -> ChunkChoice:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def _id() -> str:
    return "chatcmpl-" + secrets.token_hex(12)


def _reason(generation: Generation) -> FinishReason:
    return "length" if generation.finish_reason == "length" else "stop"


def _add(sum: Usage, one: Usage, index: int) -> Usage:
    """The prompt counts once, however many choices there are."""
    if index == 0:
        return one
    return replace(sum, completion_tokens=sum.completion_tokens + one.completion_tokens)


def _usage(usage: Usage) -> CompletionUsage:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _logprobs(request: Request, pieces: Sequence[Piece], generation: Generation) -> Optional[Logprobs]:
    """Of the tokens of the text; the one that ended the turn is none of them."""
    if not request.logprobs:
        return None
    if generation.finish_reason == "stop":
        pieces = pieces[:-1]
    return {"content": [_token(request, piece) for piece in pieces], "refusal": None}


def _token(request: Request, piece: Piece) -> TokenLogprob:
    itself = _top(request, piece.id, piece.log_probability)
    return {
        "token": itself["token"],
        "logprob": itself["logprob"],
        "bytes": itself["bytes"],
        "top_logprobs": [_top(request, c.id, c.log_probability) for c in piece.top],
    }


def _top(request: Request, id: int, logprob: float) -> TopLogprob:
    data = request.server.detokenize_bytes([id], special=True)
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}
