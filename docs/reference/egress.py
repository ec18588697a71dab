"""What leaves the estate, from the rules of its security groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from estate import security_rules
from markdown import table

from secure_openai.clouds import CLOUDS
from secure_openai.tables import table as facts

HEAD = """# What leaves the network

Every subnet that can send denies what is not listed here, with one exception that Azure makes:
Bastion's own subnet and the application gateway's may not be closed. The list is made from the
rules that the Terraform writes; a rule without a reason stops the page from being made. Prompts,
answers and what is kept go to none of these places: models, database, storage, vault and telemetry
are private endpoints *inside* the network.

"""

REASONS: Mapping[tuple[str, str], str] = {
    ("administration", "downloads"): "an administrator's machine: updates, tools. By people only.",
    ("applications", "entra"): "people sign in, tokens are checked against the issuer's keys, and "
    "our own credential is exchanged: {authority}",
    ("applications", "resource-manager"): "administrators list and change deployments, and the "
    "quota of a region is read: {manager}",
    ("applications", "dns"): "names are asked: Azure's resolver, or your own servers",
    ("bastion", "azure"): "Bastion's own: its documentation asks for it",
    ("gateway", "azure"): "the application gateway's own: its documentation asks for it",
    ("runner", "downloads"): "the pipeline's machine: GitHub, the registry of providers, packages",
}
"""Why a rule lets out what leaves the network; the addresses come from `tables/clouds.json`."""

INSIDE = {"VirtualNetwork"}


def egress() -> str:
    """Return the page.

    Raises:
        KeyError: A rule lets something out for no reason that is written above.
    """
    public = CLOUDS["public"]
    hosts = {"authority": f"`{public.authority}`", "manager": f"`{public.resource_manager}`"}
    rows = [
        (
            f"`{subnet}`",
            ", ".join(f"`{one}`" for one in _destinations(rule)),
            ", ".join(_ports(rule)),
            REASONS[subnet, rule["name"].removesuffix("-outbound")].format(**hosts),
        )
        for subnet, rule in sorted(_leaving(), key=lambda pair: (pair[0], pair[1]["priority"]))
    ]
    return HEAD + "\n".join(
        (
            table(("subnet", "to", "ports", "because"), rows),
            "\nA firewall of yours (`egress_route_table_id`) sees these and nothing else. "
            "The service tags are Azure's.\n",
            "## By cloud\n",
            table(("", *CLOUDS), _by_cloud()),
            "\nA browser loads nothing but the application's own files; a person's browser goes to "
            "the sign-in\naddress by itself. `pip`, Terraform and the build of a package run on "
            "the pipeline's machine\nand never in the applications.\n",
        )
    )


def _by_cloud() -> Iterator[tuple[str, ...]]:
    """Yield where people sign in, what is managed, and the zones that are answered inside."""
    yield ("sign-in", *(f"`{cloud.authority}`" for cloud in CLOUDS.values()))
    yield ("management", *(f"`{cloud.resource_manager}`" for cloud in CLOUDS.values()))
    clouds = [facts("clouds")[name]["zones"] for name in CLOUDS]
    for service in clouds[0]:
        zones = (", ".join(f"`{zone}`" for zone in cloud[service]) for cloud in clouds)
        yield (f"private names: {service}", *zones)


def _leaving() -> Iterator[tuple[str, dict[str, Any]]]:
    for subnet, rule in security_rules():
        if rule["direction"] == "Outbound" and rule["access"] == "Allow" and _destinations(rule):
            yield subnet, rule


def _destinations(rule: dict[str, Any]) -> list[str]:
    """Return where a rule leads that is not the network itself."""
    named = rule["destination_address_prefixes"] or [rule["destination_address_prefix"]]
    return [one for one in named if one not in INSIDE and not one.startswith("10.")]


def _ports(rule: dict[str, Any]) -> list[str]:
    return list(rule["destination_port_ranges"] or [rule["destination_port_range"]])
