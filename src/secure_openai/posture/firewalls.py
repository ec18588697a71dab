"""The firewall that a service has of its own: what it does by default, and whom it admits.

A setting that is not known is never read as one that admits nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.posture.addresses import range_of
from secure_openai.posture.estate import UNKNOWN, Resource
from secure_openai.posture.private_link import SITES

WIDE: Final = 2**24
"""From this many public addresses on a list of exceptions is no list of callers any more."""

_SHARED_TAGS: Final = (
    "internet",
    "any",
    "azurecloud",
    "appservice",
    "azurefrontdoor",
    "actiongroup",
)
"""Service tags that hold addresses which any customer of Azure can send from."""


_LISTS: Final = (
    "ip_rules",
    "ip_rule",
    "private_link_access",
    "virtual_network_rules",
    "virtual_network_subnet_ids",
)


@dataclass(frozen=True, slots=True)
class Firewall:
    """A service's own firewall.

    Attributes:
        denies: Whether it denies what it does not list; None where that is not known.
        unsure: Whether some of what it lists is not known.
        admitted: What it lists: ranges, service tags, and ids of subnets and resources.
        trusted: Whether Azure's own services pass it.
        path: The argument that says what it does by default.
        declared: What declares it.
    """

    denies: bool | None
    unsure: bool
    admitted: tuple[str, ...]
    trusted: bool
    path: str
    declared: Resource

    @property
    def everybody(self) -> str:
        """Return what of the list admits everybody or every customer of Azure; else empty."""
        ranges = [one for text in self.admitted if (one := range_of(text))]
        for text in self.admitted:
            folded = text.casefold()
            if text == "0.0.0.0" or text.endswith("/0"):  # noqa: S104 - Azure's word, no address
                return text
            if folded.startswith(_SHARED_TAGS):
                return text
        if sum(one.size for one in ranges) >= WIDE:
            return ", ".join(text for text in self.admitted if range_of(text))
        return ""


def firewall(service: Resource, beside: tuple[Resource, ...] = ()) -> Firewall:
    """Return the firewall of a service.

    Args:
        service: The service.
        beside: Resources that hold rules of it; of several, the loosest counts.
    """
    if service.type in SITES:
        return _site(service)
    if service.type == "azurerm_cosmosdb_account":
        return _cosmos(service)
    block = "network_rules" if service.type == "azurerm_storage_account" else "network_acls"
    if service.type == "azurerm_container_registry":
        block = "network_rule_set"
    own = _block(service, f"{block}.0.")
    others = [_block(one, "") for one in beside]
    if others and not service.unsure(block) and not service.blocks(block):
        own = others.pop(0)
    for other in others:
        # Whichever was written last counts, which nobody can say.
        looser = other if other.denies is not True else own
        own = Firewall(
            looser.denies,
            own.unsure or other.unsure,
            tuple(dict.fromkeys((*own.admitted, *other.admitted))),
            own.trusted or other.trusted,
            looser.path,
            looser.declared,
        )
    return own


def _denies(action: Any) -> bool | None:
    return None if action is UNKNOWN else bool(action == "Deny")


def _block(declared: Resource, prefix: str) -> Firewall:
    lists = [declared.get(f"{prefix}{name}") for name in _LISTS]
    bypass = declared.get(f"{prefix}bypass")
    return Firewall(
        _denies(declared.get(f"{prefix}default_action")),
        UNKNOWN in lists,
        tuple(text for value in lists for text in _texts(value)),
        bypass is UNKNOWN or "AzureServices" in (bypass if isinstance(bypass, list) else [bypass]),
        f"{prefix}default_action",
        declared,
    )


def _cosmos(service: Resource) -> Firewall:
    ranges, subnets = service.get("ip_range_filter"), service.get("virtual_network_rule")
    filtered = service.get("is_virtual_network_filter_enabled")
    listed = (*_texts(ranges), *_texts(subnets))
    bypass = service.get("network_acl_bypass_for_azure_services")
    return Firewall(
        True if listed or filtered is True else None if UNKNOWN in (ranges, filtered) else False,
        UNKNOWN in (ranges, subnets),
        listed,
        bypass is True or bypass is UNKNOWN,
        "ip_range_filter",
        service,
    )


def _site(service: Resource) -> Firewall:
    rules = service.get("site_config.0.ip_restriction")
    path = "site_config.0.ip_restriction_default_action"
    return Firewall(
        _denies(service.get(path)),
        rules is UNKNOWN,
        admitted(rules),
        trusted=False,
        path=path,
        declared=service,
    )


def admitted(rules: Any) -> tuple[str, ...]:
    """Return what an application's access rules admit."""
    return tuple(
        str(one.get("ip_address") or _tag(one) or one.get("virtual_network_subnet_id"))
        for one in (rules if isinstance(rules, list) else ())
        if one.get("action") in (None, "Allow")
    )


def _tag(rule: Any) -> str:
    """Return a rule's service tag; one that asks for the id of a Front Door is no shared one."""
    tag = str(rule.get("service_tag") or "")
    named = any(one.get("x_azure_fdid") for one in rule.get("headers") or ())
    return f"own {tag}" if tag and named else tag


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            names = ("ip_range", "subnet_id", "id", "endpoint_resource_id")
            yield next((str(one[name]) for name in names if one.get(name)), "something")
