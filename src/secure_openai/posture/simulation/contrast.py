"""What data sources answer in another cloud: where they said nothing, yes or no.

A configuration may hang a setting, or whether something is built at all, on what a data source
answers. Whatever differs between a simulation and one in such a cloud hangs on it, through whatever
locals, modules and functions it went.
"""

from __future__ import annotations

from typing import Any, Final

from secure_openai.posture.simulation.schema import Block
from secure_openai.posture.simulation.values import Value, dynamic, is_dynamic, plain

_WORD: Final = "otherwise"
_ELSEWHERE: Final[dict[str, Value]] = {
    "address_prefixes": ["172.31.0.0/24"],
    "address_space": ["172.31.0.0/16"],
}


def otherwise(
    block: Block, config: dict[str, Value], state: dict[str, Value], *, yes: bool
) -> None:
    """Change an answer, in place, where nobody but Azure knows it.

    Args:
        block: What the data source may answer.
        config: What was asked; it stays as it is.
        state: What it answers elsewhere.
        yes: Whether the answer is yes, one and something; or no, zero and nothing.
    """
    for name, attribute in block.attributes.items():
        if config.get(name) is not None or not attribute.computed:
            continue
        if yes and name in _ELSEWHERE and state.get(name):
            state[name] = _ELSEWHERE[name]
        elif name == "output":
            state[name] = _filled(state.get(name), yes=yes)
        elif state.get(name) in (None, [], {}):
            state[name] = _of_type(attribute.type, yes=yes)


def _of_type(kind: Any, *, yes: bool) -> Value:
    if isinstance(kind, str):
        yeses: dict[str, Value] = {
            "bool": yes,
            "number": int(yes),
            "string": _WORD if yes else None,
        }
        return yeses.get(kind)
    if not isinstance(kind, list):
        return None
    shape, inner = kind
    if shape == "object":
        return {name: _of_type(one, yes=yes) for name, one in inner.items()}
    if shape == "map":
        return {_WORD: _of_type(inner, yes=yes)} if yes else {}
    return [_of_type(inner, yes=yes)] if yes else []


def _filled(value: Value, *, yes: bool) -> Value:
    """Return an output of a type of its own in which every gap has an answer."""
    if not is_dynamic(value):
        return value
    return dynamic(_gaps(plain(value), yes=yes))


def _gaps(value: Any, *, yes: bool) -> Any:
    if isinstance(value, dict):
        return {name: _gaps(one, yes=yes) for name, one in value.items()}
    if value is None:
        return yes
    return [{}] if value == [] and yes else value
