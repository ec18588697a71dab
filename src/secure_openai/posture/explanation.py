"""One way through the estate, hop by hop, in answer to `internet -> cosmos`."""

from __future__ import annotations

from collections.abc import Iterable

from secure_openai.errors import ProofError
from secure_openai.posture.paths import Path, from_internet, from_subnet, label
from secure_openai.posture.private_link import Door
from secure_openai.posture.subnets import Subnet
from secure_openai.posture.topology import Topology

INTERNET = "internet"
_WORDS = {
    "cosmos": "azurerm_cosmosdb_account",
    "functions": "azurerm_linux_function_app",
    "model": "azurerm_cognitive_account",
    "storage": "azurerm_storage_account",
    "vault": "azurerm_key_vault",
    "web": "azurerm_linux_web_app",
}


def explain(topology: Topology, question: str) -> list[Path]:
    """Return the ways that a question asks for.

    Args:
        topology: The estate's networks.
        question: `SOURCE -> TARGET`: `internet`, a subnet or an application; and a kind of service
            (`cosmos`, `functions`, `model`, `storage`, `vault`, `web`), a name or an address.

    Raises:
        ProofError: It is no such question, or names nothing of the estate.
    """
    try:
        return _explain(topology, question)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ProofError("Some resource has not the shape that its provider writes.") from None


def _explain(topology: Topology, question: str) -> list[Path]:
    source, arrow, target = (part.strip() for part in question.partition("->"))
    if not arrow or not source or not target:
        raise ProofError(f'"{question}" is no question: write "internet -> cosmos".')
    doors = [
        one
        for one in topology.doors
        if _meant(one, target) and (topology.endpoints_of(one) or _main(one))
    ]
    if not doors:
        raise ProofError(
            f"{target} is no service of the estate: "
            f"there are {_list(label(one) for one in topology.doors)}."
        )
    if source.casefold() == INTERNET:
        return [from_internet(one) for one in doors]
    subnet = _subnet(topology, source)
    return [from_subnet(topology, subnet, one) for one in doors]


def _main(door: Door) -> bool:
    return door.subresource == "blob" or door.service.type != "azurerm_storage_account"


def _meant(door: Door, target: str) -> bool:
    wanted = target.casefold()
    service = door.service
    kind = _WORDS.get(wanted)
    return (kind is not None and service.type.startswith(kind)) or wanted in (
        service.address.casefold(),
        service.name.casefold(),
        label(door).casefold(),
    )


def _subnet(topology: Topology, source: str) -> Subnet:
    wanted = source.casefold()
    for one in topology.subnets.values():
        if wanted in (one.label, one.id.rpartition("/")[2]):
            return one
    for app in topology.apps:
        kind = _WORDS.get(wanted)
        if wanted in (app.name.casefold(), app.address.casefold()) or (
            kind and app.type.startswith(kind)
        ):
            found = topology.subnet(app.values.get("virtual_network_subnet_id"))
            if found:
                return found
    places = [
        INTERNET,
        *(one.label for one in topology.subnets.values()),
        *(app.name for app in topology.apps),
    ]
    raise ProofError(f"{source} is no place of the estate: there are {_list(places)}.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
