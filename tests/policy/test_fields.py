"""What passes is a value rebuilt from the allow-list; JSON has one reading."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.errors import RequestError
from secure_openai.policy.estimate import (
    IMAGE_BASE,
    IMAGE_TOKENS,
    estimate_prompt_tokens,
    estimate_text_tokens,
)
from secure_openai.policy.fields import TABLES, check_chat_completions, check_request
from secure_openai.policy.json_text import parse_json
from secure_openai.policy.text import check_text
from secure_openai.types import Operation, Parameters

FULL: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "be brief", "name": "sys"},
        {"role": "developer", "content": [{"type": "text", "text": "rules"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": None},
        {"role": "user", "content": "tab\tline\nreturn\r ok é 😀"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "store": False,
    "n": 2,
    "max_completion_tokens": 10,
    "temperature": 0.5,
    "top_p": 1,
    "frequency_penalty": -1,
    "presence_penalty": None,
    "seed": 7,
    "stop": ["a", "b"],
    "logprobs": True,
    "top_logprobs": 5,
    "logit_bias": {"50256": -100},
    "reasoning_effort": "low",
    "verbosity": "high",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "s", "strict": True, "schema": {"type": "object", "x": [1, None]}},
    },
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
}


RESPONSE: dict[str, Any] = {
    "model": "m",
    "instructions": "be brief",
    "input": [
        {"role": "user", "content": "what is this?"},
        {
            "type": "message",
            "role": "developer",
            "content": [
                {"type": "input_text", "text": "rules"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA",
                    "detail": "low",
                },
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "thought"}],
            "content": None,
            "encrypted_content": "gAAAA",
            "status": None,
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "c1",
            "name": "f",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "y"}],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
    ],
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "store": False,
    "background": False,
    "max_output_tokens": 16,
    "temperature": 0.5,
    "top_p": 1,
    "top_logprobs": 3,
    "truncation": "auto",
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "s", "strict": True, "schema": {"x": [1]}},
    },
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": None},
        {
            "type": "custom",
            "name": "g",
            "format": {"type": "grammar", "syntax": "regex", "definition": "a+"},
        },
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    },
    "parallel_tool_calls": True,
}
LISTED = {
    Operation.RESPONSES: RESPONSE,
    Operation.EMBEDDINGS: {
        "model": "m",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": 256,
    },
}


@pytest.mark.parametrize("operation", LISTED)
def test_everything_on_the_other_lists_passes_unchanged(operation: Operation) -> None:
    """A request that uses every field of its API comes out equal, bounded, and another object."""
    given = LISTED[operation]
    checked = check_request(operation, given)

    assert {*given} == {*TABLES[operation]["request"]["members"]}
    assert checked.body == given
    assert checked.body is not given
    assert checked.deployment == "m"
    bounded = checked.bounded(Parameters(), 99)
    responds = operation is Operation.RESPONSES
    assert bounded.get("max_output_tokens") == (99 if responds else None)
    assert bounded.keys() == given.keys() - {"store"}


def test_everything_is_estimated() -> None:
    """Items, tools, instructions and schemas count; a low image by its base; a number once."""
    whole = estimate_prompt_tokens(RESPONSE)
    without = estimate_prompt_tokens(
        {**RESPONSE, "input": [one for one in RESPONSE["input"] if "input_image" not in str(one)]}
    )

    assert whole >= without + IMAGE_BASE
    for name in ("input", "instructions", "text", "tools", "tool_choice"):
        less = {key: value for key, value in RESPONSE.items() if key != name}
        assert estimate_prompt_tokens(less) < whole, name
    assert estimate_prompt_tokens({"model": "m", "input": [[1, 2], [3]]}) == 3
    assert estimate_prompt_tokens({"unknown": "word " * 70}) >= 100


def test_everything_on_the_list_passes_unchanged() -> None:
    """A request that uses every field comes out equal, and is another object."""
    checked = check_chat_completions(FULL)

    assert checked.body == FULL
    assert checked.body is not FULL
    assert checked.body["messages"][0] is not FULL["messages"][0]
    assert (checked.deployment, checked.stream, checked.include_usage) == ("m", True, True)
    assert (checked.answer_tokens, checked.choices) == (10, 2)


def test_defaults_are_what_was_not_said() -> None:
    """Without the optional fields: not streamed, one choice, no bound of one's own."""
    checked = check_chat_completions({"model": "m", "messages": [{"role": "user", "content": ""}]})

    assert (checked.stream, checked.include_usage) == (False, False)
    assert (checked.answer_tokens, checked.choices) == (None, 1)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"model": ""}, "/model"),
        ({"model": "x" * 65}, "/model"),
        ({"messages": []}, "/messages"),
        ({"messages": {}}, "/messages"),
        ({"messages": ["x"]}, "/messages/0"),
        ({"logit_bias": {str(n): 1 for n in range(1025)}}, "/logit_bias"),
        ({"logit_bias": []}, "/logit_bias"),
        ({"logit_bias": {"1": 101}}, "/logit_bias/1"),
        ({"stop": ["x"] * 5}, "/stop"),
        ({"stop": 1}, "/stop"),
        ({"tool_choice": "maybe"}, "/tool_choice"),
        ({"stream": "yes"}, "/stream"),
        ({"temperature": "hot"}, "/temperature"),
        ({"temperature": True}, "/temperature"),
        ({"stream_options": []}, "/stream_options"),
        ({"response_format": []}, "/response_format"),
        ({"response_format": {"type": "xml"}}, "/response_format/type"),
        ({"tools": [{"type": "function"}]}, "/tools/0/function"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "/messages/0/tool_call_id"),
        ({"tools": [{"type": "function", "function": {"name": "f\0"}}]}, "/tools/0/function/name"),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"a\x1b": 1}}}
                ]
            },
            "/tools/0/function/parameters",
        ),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "/messages/0/content"),
    ],
)
def test_what_does_not_fit_is_pointed_at(change: dict[str, Any], pointer: str) -> None:
    """The refusal names the place."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]} | change
    with pytest.raises(RequestError) as caught:
        check_chat_completions(body)

    assert caught.value.pointer == pointer


def test_what_a_package_made_of_an_answer_goes_no_further() -> None:
    """Sent back with an answer, it is neither refused nor sent to the model; null says nothing."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    plain = {"role": "assistant", "content": "{}", "tool_calls": [call]}
    made = call | {"index": 0, "function": call["function"] | {"parsed_arguments": {"a": 1}}}  # type: ignore[operator]
    sent = plain | {"parsed": {"any": ["thing"]}, "tool_calls": [made]}
    chat = check_chat_completions({"model": "m", "messages": [sent]})
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    dumped: dict[str, Any] = item | {
        "async_": None,
        "caller": None,
        "namespace": None,
        "parsed_arguments": {},
    }
    asked = check_request(Operation.RESPONSES, {"model": "m", "input": [dumped]})

    assert chat.body["messages"] == [plain]
    assert asked.body["input"] == [item]
    with pytest.raises(RequestError) as caught:
        check_request(Operation.RESPONSES, {"model": "m", "input": [item | {"namespace": "x"}]})
    assert caught.value.pointer == "/input/0/namespace"


def test_a_request_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema of very many values is refused before it is copied whole."""
    monkeypatch.setattr("secure_openai.policy.rules.LARGEST_NODES", 100)
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"a": [0] * 200}}}
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": schema}
    with pytest.raises(RequestError, match="more than 100 values"):
        check_chat_completions(body)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {"b": 2}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 9007199254740992}',
        b'{"a": 1' + b"0" * 100_000 + b"}",
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 100_000,
        b'\xff{"a": 1}',
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_json_that_readers_would_read_differently_is_refused(text: bytes) -> None:
    """One text, one meaning, and no traceback."""
    with pytest.raises(RequestError):
        parse_json(text)


def test_brackets_in_strings_are_no_depth() -> None:
    """Depth counts structure only; 64 levels are read."""
    assert parse_json(b'["' + b"[" * 500 + b'\\"]"]') == ["[" * 500 + '"]']
    assert parse_json(b"[" * 64 + b"]" * 64) is not None
    assert parse_json(b'{"n": -9007199254740991, "f": 1.5e3, "u": "\\u00e9"}') == {
        "n": -9007199254740991,
        "f": 1500.0,
        "u": "é",
    }


def test_a_refused_character_is_named() -> None:
    """The code point and the place, never the text."""
    with pytest.raises(RequestError, match=r"U\+0007 at position 6"):
        check_text("secret\x07", pointer="/text")


def test_estimates_err_upwards_and_count_everything() -> None:
    """Other scripts cost more than ASCII; images a figure; tools and names count."""
    assert estimate_text_tokens("") == 0
    assert estimate_text_tokens("a" * 35) == 10
    assert estimate_text_tokens("é" * 3) == 4
    plain = {"messages": [{"role": "user", "content": "x" * 350}]}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert 100 < estimate_prompt_tokens(plain) < 120
    with_image = {"messages": [{"role": "user", "content": [image]}]}
    assert IMAGE_TOKENS <= estimate_prompt_tokens(with_image) < IMAGE_TOKENS + 20
    assert estimate_prompt_tokens(plain | {"tools": [{"a": "x" * 350}]}) > 200
    assert estimate_prompt_tokens({"messages": [{"content": 1.5}]}) > 0


REASONING = Parameters(refused=frozenset({"temperature", "top_p", "logit_bias"}))


@pytest.mark.parametrize(
    ("parameters", "change", "said"),
    [
        (REASONING, {"temperature": 1}, "does not take temperature"),
        (REASONING, {"top_p": 1}, "does not take top_p"),
        (REASONING, {"logit_bias": {"1": 1}}, "does not take logit_bias"),
        (Parameters(), {"reasoning_effort": "low"}, "leave it out"),
        (
            Parameters(reasoning_effort=("low", "high")),
            {"reasoning_effort": "medium"},
            "low, high",
        ),
    ],
)
def test_what_a_deployment_does_not_take_is_said(
    parameters: Parameters, change: dict[str, Any], said: str
) -> None:
    """A reasoning model refuses what others need, and the reverse; the sentence says which."""
    hello = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(RequestError, match=said):
        check_chat_completions(hello | change).require_taken(parameters)


def test_an_answer_is_bounded_in_the_field_that_the_deployment_reads() -> None:
    """The client's own bound and `store` are replaced; everything else stays."""
    hello = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    checked = check_chat_completions(hello | {"max_tokens": 5, "store": False, "temperature": 1})
    checked.require_taken(Parameters(reasoning_effort=("low",)))

    assert checked.bounded(Parameters(max_tokens_field="max_tokens"), 3) == hello | {
        "max_tokens": 3,
        "temperature": 1,
    }
    assert checked.bounded(Parameters(), 3)["max_completion_tokens"] == 3
