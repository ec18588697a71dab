"""Which fields of a request pass: an allow-list for each API, kept as data in `tables/`.

We are a deputy: what passes here runs with our identity. A field that is not on the list is refused
by name, unless policy admits it; what would make Azure fetch or keep something for someone else can
be admitted by nobody. What goes on to the model is a value rebuilt from the list, never the bytes
that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from secure_openai.errors import RequestError
from secure_openai.policy.acceptor import LARGEST_BYTES, Acceptor
from secure_openai.policy.json_text import parse_json, read_json
from secure_openai.policy.rules import Check, resolved
from secure_openai.tables import table
from secure_openai.types import JsonObject, Operation, Parameters

TABLES: Mapping[Operation, JsonObject] = MappingProxyType(
    {operation: table(operation.replace("/", "_")) for operation in Operation}
)
"""The list of each API."""

_REQUESTS: Mapping[Operation, JsonObject] = MappingProxyType(
    {
        operation: resolved(
            known["request"] | {"refused": known["refused"] | known["never"]}, known["types"]
        )
        for operation, known in TABLES.items()
    }
)
"""The rule of each API's request, with why what it does not let through is refused."""

_ACCEPTORS: Mapping[Operation, Acceptor] = MappingProxyType(
    {operation: Acceptor(rule) for operation, rule in _REQUESTS.items()}
)
"""What takes at once what plainly fits each of them."""

BOUNDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""Every field that bounds an answer: read, and replaced by the bound that holds."""

_REPLACED = (*BOUNDS, "store")
"""What does not go on as it was sent."""


class WrittenRequest(NamedTuple):
    """A request as it was sent.

    Attributes:
        text: Its JSON, not read yet.
        deployment: What the address names, where it does: as at Azure it decides, and a model named
            in the body says nothing.
    """

    text: bytes
    deployment: str | None = None

    def read(self) -> object:
        """Return the value.

        Raises:
            RequestError: It is not well-formed; see `parse_json`.
        """
        return self.addressed(parse_json(self.text))

    def addressed(self, value: object) -> object:
        """Return what was read, with the deployment that the address names."""
        if self.deployment is not None and isinstance(value, dict):
            return {**value, "model": self.deployment}
        return value


class CheckedRequest(NamedTuple):
    """A checked request to a model.

    Attributes:
        operation: Which API it is for.
        body: The request rebuilt from the allow-list.
        deployment: Its `model`.
        stream: Whether events are asked for.
        answer_tokens: The largest answer asked for, where one was.
        choices: How many answers are asked for.
        include_usage: Whether the client asked for usage in the stream.
    """

    operation: Operation
    body: JsonObject
    deployment: str
    stream: bool
    answer_tokens: int | None
    choices: int
    include_usage: bool

    def require_taken(self, parameters: Parameters) -> None:
        """Return if a deployment takes every parameter asked for.

        Raises:
            RequestError: It does not: a reasoning model refuses what others need.
        """
        for name in sorted(parameters.refused):
            if self.body.get(name) is not None:
                raise RequestError(
                    f"{self.deployment} does not take {name}: leave it out.", pointer=f"/{name}"
                )
        pointer, effort = self._effort()
        if effort is not None and effort not in parameters.reasoning_effort:
            known = ", ".join(parameters.reasoning_effort)
            raise RequestError(
                f"{self.deployment} does not take this effort: "
                + (f"write one of {known}." if known else "leave it out."),
                pointer=pointer,
            )

    def _effort(self) -> tuple[str, Any]:
        if self.operation is Operation.RESPONSES:
            return "/reasoning/effort", (self.body.get("reasoning") or {}).get("effort")
        return "/reasoning_effort", self.body.get("reasoning_effort")

    def bounded(self, parameters: Parameters, answer_tokens: int) -> JsonObject:
        """Return the body with the answer bounded, in the field that the deployment reads.

        `store` is left to the model, which sends it as false.
        """
        body = self.body.copy()
        for name in _REPLACED:
            body.pop(name, None)
        if self.operation is Operation.RESPONSES:
            body["max_output_tokens"] = answer_tokens
        elif self.operation is Operation.CHAT_COMPLETIONS:
            body[parameters.max_tokens_field] = answer_tokens
        return body


def check_request(
    operation: Operation, body: object, *, admitted: frozenset[str] = frozenset()
) -> CheckedRequest:
    """Check a request against the allow-list of its API.

    Args:
        operation: Which API.
        body: Its value, or a `WrittenRequest`.
        admitted: Fields that policy lets through besides those listed.

    Raises:
        RequestError: It is not well-formed, or a field is missing, of another type, or out of
            bounds; the pointer says where.
        Refused: A field is not on the list.
    """
    checked = _rebuilt(operation, body, admitted)
    limits = {*map(checked.get, BOUNDS)} - {None}
    if len(limits) > 1:
        raise RequestError(
            "max_tokens and max_completion_tokens differ: send one.", pointer="/max_tokens"
        )
    options = checked.get("stream_options") or {}
    return CheckedRequest(
        operation=operation,
        body=checked,
        deployment=checked["model"],
        stream=bool(checked.get("stream")),
        answer_tokens=limits.pop() if limits else None,
        choices=checked.get("n") or 1,
        # The Responses API reports usage in its last event, asked or not.
        include_usage=operation is Operation.RESPONSES or bool(options.get("include_usage")),
    )


def _rebuilt(operation: Operation, body: object, admitted: frozenset[str]) -> JsonObject:
    if isinstance(body, WrittenRequest):
        acceptor, reading = _ACCEPTORS[operation], None
        if len(body.text) <= LARGEST_BYTES:
            accepted = acceptor.accepted(body.text)
        else:
            reading = read_json(body.text)
            accepted = acceptor.rebuilt(reading)
        # A model that only the address names has not been looked at.
        if accepted is not None and body.deployment in (None, accepted["model"]):
            return accepted
        body = body.read() if reading is None else body.addressed(reading.value)
    usable = admitted - TABLES[operation]["never"].keys()
    rebuilt: JsonObject = Check(admitted=usable).value(body, _REQUESTS[operation], "")
    return rebuilt


def check_chat_completions(body: object) -> CheckedRequest:
    """Check a chat completion; see `check_request`."""
    return check_request(Operation.CHAT_COMPLETIONS, body)


def why_never(name: str) -> str | None:
    """Return why policy can let a field through for nobody, or `None` where it can."""
    if "max" in name and "tokens" in name:
        return "what bounds an answer is on the list already"
    for known in TABLES.values():
        if name in known["never"]:
            return str(known["never"][name])
    return None
