"""The picture shows the estate as it is, with every finding where it sits."""

from __future__ import annotations

import copy
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from bench.proving.copies import copies

from secure_openai.posture.architecture.access import Access
from secure_openai.posture.architecture.diagram import diagram
from secure_openai.posture.architecture.marks import DIRECTORY, ELSEWHERE, Mark, placed
from secure_openai.posture.architecture.picture import MOST_SERVICES, picture
from secure_openai.posture.architecture.services import KINDS
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.report.illustration import illustration
from secure_openai.posture.report.report import Report
from secure_openai.posture.topology import Topology
from tests.posture.report.conftest import State

NETWORK = 'module.network[0].azurerm_subnet.this["{}"]'
ZONE = 'module.network[0].azurerm_private_dns_zone{}.this["privatelink.documents.azure.com"]'
RECORDS = "module.store.azurerm_storage_account.records"
VNET = "module.network[0].azurerm_virtual_network.this"


def topology(state: State) -> Topology:
    """Return the networks of a state."""
    return Topology(Estate.of(state), None, Assumptions())


def resource(kind: str, name: str, **values: Any) -> dict[str, Any]:
    """Return a resource of a state."""
    identifier = f"/subscriptions/0/resourceGroups/rg/providers/{kind}/{name}"
    return {
        "address": f"{kind}.{name}",
        "mode": "managed",
        "type": kind,
        "values": {"id": identifier, "name": name, **values},
    }


def state_of(*found: dict[str, Any]) -> State:
    """Return a state of some resources."""
    return {"format_version": "1.0", "values": {"root_module": {"resources": list(found)}}}


def kinds(drawn: str, name: str) -> set[str]:
    """Return the classes of the elements of a picture whose class begins with a name."""
    return set(re.findall(rf'class="{name} (\w+)"', drawn))


def test_it_is_a_document_of_its_own(report: Report) -> None:
    """Well-formed, with a title and a description, in a page and alone."""
    for alone in (True, False):
        root = ET.fromstring(  # noqa: S314 - our own output
            diagram(report.proof.topology, "An estate", alone=alone)
        )
        space = "{http://www.w3.org/2000/svg}"
        assert root.get("role") == "img"
        labels = str(root.get("aria-labelledby")).split()
        found = {one.get("id") for one in root}
        assert set(labels) <= found
        assert (root.find(f"{space}style") is not None) == alone


def test_it_is_the_same_every_time(private: Report) -> None:
    """A committed picture can be held to it."""
    assert diagram(private.proof.topology, "x") == diagram(private.proof.topology, "x")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("module.store.azurerm_key_vault.this", "module.store.azurerm_key_vault.this"),
        ("module.app.azurerm_linux_web_app_slot.staging", "module.app.azurerm_linux_web_app.this"),
        (
            "module.store.azurerm_private_endpoint.vault[0]",
            "module.store.azurerm_private_endpoint.vault[0]",
        ),
        (
            'module.network[0].azurerm_network_security_group.this["endpoints"]',
            NETWORK.format("endpoints"),
        ),
        (
            'azurerm_role_assignment.need["complete-web-production-main"]',
            'module.model.azurerm_cognitive_account.this["main"]',
        ),
        ('module.store.azurerm_storage_container.seals["staging"]', RECORDS),
        (ZONE.format("_virtual_network_link"), ZONE.format("")),
        ('module.identity.azuread_application.this["production"]', DIRECTORY),
        (VNET, VNET),
        ("route GET /", ELSEWHERE),
        ("output.keys", ELSEWHERE),
        ("", ELSEWHERE),
    ],
)
def test_a_mark_stands_at_what_it_belongs_to(private: Report, address: str, key: str) -> None:
    """At the thing itself, or at what it is a part of; else it is said to be in no picture."""
    networks = private.proof.topology
    mark = Mark("1", "high", "wrong", address)

    assert placed(networks, picture(networks), [mark]) == {key: [mark]}


PLACED = (
    *("azuread_", "azurerm_cognitive_", "azurerm_cosmosdb_", "azurerm_key_vault"),
    *("azurerm_linux_", "azurerm_network_security_group", "azurerm_private_"),
    *("azurerm_role_assignment", "azurerm_service_plan", "azurerm_storage_", "azurerm_subnet"),
    *("azurerm_user_assigned_identity", "azurerm_virtual_network"),
)
"""Beginnings of the types that belong to something in the picture."""


def test_every_mark_of_our_estate_finds_a_place(private: Report) -> None:
    """Only what belongs to no one thing, such as an alert, is in no picture."""
    networks = private.proof.topology
    marks = [Mark("1", "high", "x", one.address) for one in networks.estate.resources]
    found = placed(networks, picture(networks), marks)
    nowhere = {networks.estate.at(one.address).type for one in found.get(ELSEWHERE, ())}

    assert {one for one in nowhere if one.startswith(PLACED)} == set()
    assert len(found) > 20


def test_marks_are_drawn_with_their_number_and_words(faulty: Report) -> None:
    """As a link to the finding, with what it says as a title."""
    drawn = illustration(faulty).drawing
    worst = faulty.findings[0]

    assert f'<a href="#finding-{worst.number}"><g><title>{worst.number}, critical: ' in drawn
    assert kinds(drawn, "badge") >= {"critical", "high", "doubt"}


def test_the_legend_explains_what_is_there_and_nothing_else(
    private: Report, public: Report, faulty: Report
) -> None:
    """Every kind of mark, line and door that is drawn has its words."""
    words = {
        "finding, critical": ("badge", "critical"),
        "finding, high": ("badge", "high"),
        "what cannot be told": ("badge", "doubt"),
        "private endpoint that does not serve them": ("end", "stopped"),
        "open to listed addresses": ("line", "listed"),
        "open to the Internet": ("line", "open"),
        "no way in from the Internet": ("line", "closed"),
    }
    for report in (private, public, faulty):
        drawn = illustration(report).drawing
        for says, (name, kind) in words.items():
            assert (f">{says}<" in drawn) == (kind in kinds(drawn, name)), says


DENY: Any = [{"default_action": "Deny", "ip_rules": ["203.0.113.0/24"]}]


@pytest.mark.parametrize(
    ("values", "access", "says"),
    [
        ({"public_network_access_enabled": False}, Access.CLOSED, "closed"),
        ({"public_network_access_enabled": True, "network_acls": DENY}, Access.LISTED, "1 range"),
        ({"public_network_access_enabled": None}, Access.OPEN, "open"),
        ({}, Access.OPEN, "open"),
    ],
)
def test_a_door_is_what_the_internet_finds(
    values: dict[str, Any], access: Access, says: str
) -> None:
    """Closed, open to some, or open; an absent switch is the provider's default."""
    shown = picture(topology(state_of(resource("azurerm_key_vault", "kv", **values))))

    (service,) = shown.every_service
    assert (service.door.access, service.door.says) == (access, says)


def test_a_door_that_is_not_known_is_not_closed() -> None:
    """Nor is it drawn so."""
    state = state_of(resource("azurerm_key_vault", "kv"))
    address = "azurerm_key_vault.kv"
    estate = Estate.of(state, frozenset({(address, ("public_network_access_enabled",))}))
    shown = picture(Topology(estate, None, Assumptions()))

    (service,) = shown.every_service
    assert service.door.access is Access.UNKNOWN


def test_an_endpoint_without_a_name_does_not_serve(state: State) -> None:
    """A zone that the network does not read is crossed out, and so is what registers in it."""
    found = copy.deepcopy(state)
    for module in found["values"]["root_module"]["child_modules"]:
        module["resources"] = [
            one
            for one in module["resources"]
            if one["type"] != "azurerm_private_dns_zone_virtual_network_link"
            or "documents" not in one["address"]
        ]
    shown = picture(topology(found))
    states = {one.title: {each.passes for each in one.connections} for one in shown.every_service}
    zones = {zone.label: zone.linked for one in shown.networks for zone in one.zones}

    assert states["Cosmos DB"] == {False}
    assert states["Key Vault"] == {True}
    assert zones["documents.azure.com"] is False
    assert zones["vaultcore.azure.net"] is True


def test_what_lies_outside_is_drawn_as_outside(vouched: Report) -> None:
    """A network of somebody else, with what was vouched for."""
    shown = picture(vouched.proof.topology)
    (network,) = shown.networks

    assert network.outside
    assert network.label == "vnet-spoke"
    details = {line for one in (*network.callers, *network.holders) for line in one.details}
    assert details == {"outside the estate", "its rules are vouched for"}
    assert {one.linked for one in network.zones} == {True}


def test_without_a_network_applications_stand_outside_of_one() -> None:
    """And services are called by their public names."""
    networks = topology(
        state_of(
            resource("azurerm_linux_web_app", "web"),
            resource("azurerm_linux_function_app", "jobs"),
            resource("azurerm_key_vault", "kv"),
        )
    )
    shown = picture(networks)

    assert shown.networks == ()
    assert [one.title for one in shown.loose] == ["Web application (web)", "Function app (jobs)"]
    assert "calls services by their public names" in diagram(networks, "x")


def test_a_large_estate_is_drawn_in_part_and_says_so() -> None:
    """What has a mark comes first; the rest is counted."""
    vaults = [resource("azurerm_key_vault", f"kv{number:03}") for number in range(100)]
    networks = topology(state_of(*vaults))
    last = "azurerm_key_vault.kv099"
    shown = picture(networks, {last})

    drawn = {one.key for one in shown.every_service}
    assert len(drawn) == MOST_SERVICES
    assert last in drawn
    assert shown.left_out == (f"{100 - MOST_SERVICES} services",)
    assert f"Not drawn: {100 - MOST_SERVICES} services." in diagram(networks, "x")


def test_no_mark_is_lost(state: State) -> None:
    """In an estate of ten copies, where most is not drawn, every mark is drawn or counted."""
    networks = topology(copies(state, 10))
    marks = [
        Mark(str(number), "high", "x", one.address, f"#finding-{number}")
        for number, one in enumerate(networks.estate.resources, 1)
    ]
    drawn = diagram(networks, "x", marks)
    counted = [int(one) for one in re.findall(r">\+(\d+)</text>", drawn)]
    shown = picture(networks)

    assert drawn.count("<a href=") - len(counted) + sum(counted) == len(marks)
    services = sum(len(networks.estate.every(kind)) for kind in KINDS)
    assert shown.left_out == (
        f"{services - len(list(shown.every_service))} services",
        f"{10 - len(shown.networks)} networks",
    )


def test_a_machine_with_a_public_address_is_seen_in_its_subnet(state: State) -> None:
    """By its own name, with what is wrong with it."""
    found = copy.deepcopy(state)
    subnet = next(
        one["values"]["id"]
        for module in found["values"]["root_module"]["child_modules"]
        for one in module["resources"]
        if one["address"] == NETWORK.format("applications")
    )
    card = resource(
        "azurerm_network_interface",
        "nic",
        ip_configuration=[{"subnet_id": subnet, "public_ip_address_id": "/subscriptions/0/pip"}],
    )
    jump = resource(
        "azurerm_linux_virtual_machine", "jump", network_interface_ids=[card["values"]["id"]]
    )
    found["values"]["root_module"]["resources"] += [card, jump]
    shown = picture(topology(found))
    occupants = [
        (one.key, one.detail)
        for network in shown.networks
        for each in network.callers
        for one in each.occupants
    ]

    assert ("azurerm_linux_virtual_machine.jump", "jump, public address") in occupants


def test_an_empty_estate_has_a_picture() -> None:
    """Nothing is drawn but people and the Internet."""
    drawn = diagram(topology(state_of(resource("azurerm_resource_group", "rg"))), "x")

    assert ">Internet<" in drawn
    ET.fromstring(drawn)  # noqa: S314 - our own output
