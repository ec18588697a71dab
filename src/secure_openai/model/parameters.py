"""What the models of `tables/models.json` take, so that nobody is sent what a model refuses."""

from __future__ import annotations

from secure_openai.tables import table
from secure_openai.types import Operation, Parameters


def parameters_of(model: str) -> Parameters:
    """Return what a model takes; a model that the table does not know is taken for a plain one."""
    document = table("models")
    known = document["models"].get(model, {}).get("parameters")
    if known is None:
        return Parameters(operations=frozenset(Operation))
    refused = document["parameters"]["reasoning_refuses"] if known["reasons"] else ()
    return Parameters(
        window_tokens=known["window_tokens"],
        answer_tokens=known["answer_tokens"],
        prompt_tokens=known["prompt_tokens"],
        refused=frozenset(refused),
        reasoning_effort=tuple(known["reasoning_effort"]),
        operations=frozenset(map(Operation, known["operations"])),
        images=known["images"],
    )


def successor_of(model: str) -> str:
    """Return the model that Azure names instead of one that retires; empty where it names none."""
    return table("models")["models"].get(model, {}).get("instead") or ""
