"""Reach inside the network: what rules let in and out of the subnets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from secure_openai.posture.addresses import range_of
from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.hcl import argument
from secure_openai.posture.paths import admits
from secure_openai.posture.security_rules import (
    INTERNET,
    PEERS,
    WIDE,
    Answer,
    Flow,
    Rule,
    Share,
    disputed,
    evaluate,
    foreign_tags,
    ports_of,
)
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
    held,
)
from secure_openai.posture.subnets import Subnet
from secure_openai.posture.topology import Topology

_EXEMPT: Final = ("azurebastionsubnet", "gatewaysubnet", "azurefirewallsubnet")
_EVERYTHING: Final = 2**31
_GROUP: Final = 'resource "azurerm_subnet_network_security_group_association" "this" {}'
_DENY: Final = """security_rule {
  name                       = "deny-the-rest"
  access                     = "Deny"
  direction                  = "Inbound"
  priority                   = 4000
  protocol                   = "*"
  source_address_prefix      = "*"
  source_port_range          = "*"
  destination_address_prefix = "*"
  destination_port_range     = "*"
}"""


def _at(subnet: Subnet) -> str:
    """Return the address at which a subnet's rules are mended."""
    if subnet.group:
        return subnet.group.address
    return subnet.resource.address if subnet.resource else subnet.id


def _unread(topology: Topology, subnet: Subnet) -> Iterator[Outcome]:
    """Yield that a subnet's rules lie outside, unless somebody vouches for them."""
    if not topology.assumed.hold("filtered", subnet.id):
        yield Doubt(_at(subnet), f"subnet {subnet.label}: its rules lie outside and cannot be read")


def _others(topology: Topology) -> Iterator[Outcome]:
    places = {one.subnet for found in topology.endpoints.values() for one in found}
    for identifier in sorted(places):
        target = topology.subnet(identifier)
        if target is None:
            continue
        rules = topology.rules_of(target)
        if target.resource is None or (rules is None and target.group_id):
            yield from _unread(topology, target)
        elif rules is None or not target.filters_endpoints:
            says = f"no rule stands before the endpoints in subnet {target.label}"
            mend = (
                _GROUP
                if rules is None
                else argument("private_endpoint_network_policies", "Enabled")
            )
            yield Finding(target.resource.address, "", says, mend)
        else:
            yield from _strangers(topology, target, rules)
            yield from _neighbours(topology, target)
    yield from _peerings(topology)


def _strangers(topology: Topology, target: Subnet, rules: Sequence[Rule]) -> Iterator[Outcome]:
    space = topology.space(target.network)
    for prefix in target.prefixes:
        for place in (PEERS, INTERNET):
            answer = evaluate(rules, Flow(place, prefix, 443, inbound=True, worst=True), space)
            if answer.admitted > WIDE:
                says = f"rule {answer.allowing} lets {place} in to the endpoints"
                yield Finding(_at(target), "security_rule", says, _DENY)
            else:
                much = "only some of" if answer.admitted else "nothing of"
                yield Seen(_at(target), f"its rules let in {much} {place}")


def _neighbours(topology: Topology, target: Subnet) -> Iterator[Outcome]:
    for other in topology.subnets_of[target.network]:
        if other.id == target.id or _stands_in(topology, other):
            continue
        answer = admits(topology, other, target)
        if answer is None or answer.share is not Share.NONE:
            says = f"subnet {other.label} may reach the endpoints, and nothing in it calls them"
            yield Finding(_at(target), "security_rule", says, _DENY)


def _peerings(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_virtual_network_peering"):
        remote = one.values.get("remote_virtual_network_id")
        if topology.estate.known(remote) is None:
            name = str(remote).rpartition("/")[2]
            yield Note(one.address, f"a peering with {name}, which lies outside the estate")


def _stands_in(topology: Topology, subnet: Subnet) -> bool:
    """Return whether anything that may call stands in a subnet: an application, a machine, a gateway."""
    if subnet.id in topology.occupied:
        return True
    delegations = subnet.resource.blocks("delegation") if subnet.resource else []
    return any(
        service.get("name") == "GitHub.Network/networkSettings"
        for one in delegations
        for service in one.get("service_delegation") or ()
    )


def _leaving(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        if app.unsure("virtual_network_subnet_id"):
            yield Doubt(app.address, "its subnet is not known yet")
        elif not app.values.get("virtual_network_subnet_id"):
            says = "it is in no network: what it sends goes anywhere"
            mend = "virtual_network_subnet_id = azurerm_subnet.applications.id"
            yield Finding(app.address, "virtual_network_subnet_id", says, mend)
        else:
            yield from held(app, "site_config.0.vnet_route_all_enabled", (True,), False)
    for identifier in sorted({app.refers("virtual_network_subnet_id") for app in topology.apps}):
        subnet = topology.subnet(identifier)
        if subnet is None:
            continue
        rules = topology.rules_of(subnet)
        if subnet.resource is None or (rules is None and subnet.group_id):
            yield from _unread(topology, subnet)
        elif rules is None:
            says = f"no rule stops what leaves subnet {subnet.label}"
            yield Finding(subnet.resource.address, "", says, _GROUP)
        else:
            yield from _let_out(topology, subnet, rules)


def _let_out(topology: Topology, subnet: Subnet, rules: Sequence[Rule]) -> Iterator[Outcome]:
    mend = _DENY.replace("Inbound", "Outbound")
    routed = next(
        (one for one in topology.routes_of(subnet) if _appliance(one.prefix, one.hop)), None
    )
    for place in (INTERNET, PEERS, *foreign_tags(rules)):
        found = next(_passing(topology, subnet, rules, place), None)
        if found is None:
            yield Seen(_at(subnet), f"its rules let out nothing to {place}")
            continue
        rule, port = found
        says = f"rule {rule} lets the applications go to {place}"
        if routed and place != PEERS:
            says += ", past an appliance whose rules are not read here"
            yield Doubt(routed.resource.address, says)
        else:
            says += f" on port {port}" if port not in (0, 443) else ""
            yield Finding(_at(subnet), "security_rule", says, mend)


def _passing(
    topology: Topology, subnet: Subnet, rules: Sequence[Rule], place: str
) -> Iterator[tuple[str, int]]:
    """Yield each rule and port by which something leaves a subnet for a place."""
    space = topology.space(subnet.network)
    for prefix in subnet.prefixes:
        for protocol in ("tcp", "udp", "icmp"):
            for port in ports_of(rules, inbound=False):
                flow = Flow(prefix, place, port, inbound=False, protocol=protocol, worst=True)
                answer = evaluate(rules, flow, space)
                if _passes(answer, place):
                    yield answer.allowing, port


def _passes(answer: Answer, place: str) -> bool:
    if place == PEERS:
        return answer.admitted > WIDE
    return bool(answer.admitted) if place == INTERNET else answer.share is not Share.NONE


def _appliance(prefix: str, hop: str) -> bool:
    given = range_of(prefix)
    whole = prefix == "" or (given is not None and given.size >= _EVERYTHING)
    return whole and hop in ("VirtualAppliance", "VirtualNetworkGateway", "")


def _groups(topology: Topology) -> Iterator[Outcome]:
    holding = {one.subnet for found in topology.endpoints.values() for one in found}
    for subnet in topology.subnets.values():
        if subnet.resource is None or subnet.id.rpartition("/")[2] in _EXEMPT[1:]:
            continue
        if subnet.resource.values.get("sharing_scope"):
            says = f"subnet {subnet.label} is shared: others of the tenant may place things in it"
            yield Finding(subnet.resource.address, "sharing_scope", says, "sharing_scope = null")
        if not subnet.group_id:
            says = f"no security group is attached to subnet {subnet.label}"
            yield Finding(subnet.resource.address, "", says, _GROUP)
        else:
            wall = subnet.group.name if subnet.group else subnet.group_id.rpartition("/")[2]
            yield Seen(subnet.resource.address, f"security group {wall} is attached to it")
        if subnet.id in holding and not subnet.filters_endpoints:
            path = "private_endpoint_network_policies"
            says = f"{path} is off: no rule counts for the endpoints in it"
            yield Finding(subnet.resource.address, path, says, argument(path, "Enabled"))
        elif subnet.id in holding:
            yield Seen(subnet.resource.address, "its rules count for the endpoints in it")
    attached = {one.group.address for one in topology.subnets.values() if one.group}
    attached |= {
        found.address
        for one in topology.estate.every("azurerm_network_interface_security_group_association")
        if (found := topology.estate.known(one.values.get("network_security_group_id")))
    }
    for group in topology.estate.every("azurerm_network_security_group"):
        if group.address not in attached:
            yield Finding(group.address, "", "it is attached to nothing", _GROUP)
        for first, second in disputed(topology.rules_in(group)):
            if first.name not in (second.name, "") and first.priority < 65000:
                says = f"rules {first.name} and {second.name} have one priority: which counts, nobody can say"
                yield Finding(group.address, "security_rule", says, "# a priority for each rule")


def _outbound(topology: Topology) -> Iterator[Outcome]:
    inline: dict[str, Resource] = {}
    for subnet in topology.subnets.values():
        if subnet.resource and subnet.resource.type == "azurerm_virtual_network":
            inline[subnet.id] = subnet.resource
            if subnet.way_out is not False:
                says = f"subnet {subnet.label} has a default way out"
                mend = argument("subnet.default_outbound_access_enabled", False)
                yield Finding(subnet.resource.address, "subnet", says, mend)
    for one in topology.estate.every("azurerm_virtual_network"):
        if one.unsure("subnet") and not topology.estate.relations and not inline:
            yield Doubt(one.address, "its subnets are not known yet")
    for one in topology.estate.every("azurerm_subnet"):
        if fold(one.id) not in inline:
            yield from held(one, "default_outbound_access_enabled", (False,), True)
    for one in topology.estate.every("azurerm_cognitive_account"):
        yield from held(one, "outbound_network_access_restricted", (True,), False)
        allowed = one.get("fqdns")
        if allowed is UNKNOWN and not topology.estate.relations:
            yield Doubt(one.address, "whom it may call is not known yet")
        for host in one.items("fqdns"):
            if str(host).casefold() not in topology.by_host:
                says = f"it may call {host}, which is no service of the estate"
                yield Finding(one.address, "fqdns", says, "# name services of this estate")
        yield from _beside(topology, one)


_BESIDE_MODEL: Final = {
    "network_injection": ("subnet_id", "runs agents in"),
    "storage": ("storage_account_id", "keeps what it is given in"),
}
"""Blocks of a model account that lead elsewhere, with the argument that says where to."""


def _beside(topology: Topology, account: Resource) -> Iterator[Outcome]:
    """Yield where a model account works in what lies outside."""
    if account.unsure(*_BESIDE_MODEL) and not topology.estate.relations:
        yield Doubt(account.address, "where it keeps files and runs agents is not known yet")
    for kind, (name, does) in _BESIDE_MODEL.items():
        for block in account.blocks(kind):
            where = block.get(name)
            if where is None:
                yield Doubt(account.address, f"what it {does} is not known yet")
            elif topology.estate.relations and not topology.estate.known(where):
                says = f"it {does} {str(where).rpartition('/providers/')[2]}, which lies outside"
                yield Finding(account.address, f"{kind}.0.{name}", says, f"# remove {kind}")


STATEMENTS: Final = (
    Statement(
        "REACH-05",
        "Only subnets that call the endpoints may reach them",
        Severity.HIGH,
        "The rule that Azure adds admits every peered network.",
        ("MCSB NS-1", "checkov CKV2_AZURE_31"),
        _others,
        ("azurerm_network_security_group", "azurerm_network_security_rule", "azurerm_virtual_network_peering"),
        relations=True,
    ),
    Statement(
        "REACH-06",
        "From the applications, nothing leaves but to the endpoints, Entra ID and Resource Manager",
        Severity.HIGH,
        "What can leave to anywhere can carry prompts and answers there.",
        ("MCSB NS-1", "MCSB NS-3"),
        _leaving,
        ("azurerm_network_security_group", "azurerm_network_security_rule", "azurerm_route", "azurerm_route_table", "azurerm_subnet_route_table_association"),
        relations=True,
        everything=True,
    ),
    Statement(
        "REACH-07",
        "Every subnet has a security group, and it counts for the endpoints in it",
        Severity.HIGH,
        "A group that is attached to nothing, or that endpoints ignore, is a drawing of a wall.",
        ("MCSB NS-1", "checkov CKV2_AZURE_31"),
        _groups,
        ("azurerm_subnet", "azurerm_network_security_group", "azurerm_network_interface_security_group_association", "azurerm_subnet_network_security_group_association"),
        relations=True,
    ),
    Statement(
        "REACH-09",
        "Subnets have no default way out, and model accounts call nobody",
        Severity.MEDIUM,
        "Azure's default outbound access bypasses NAT and rules that people rely on.",
        ("MCSB NS-2", "checkov CKV_AZURE_247"),
        _outbound,
        ("azurerm_subnet", "azurerm_cognitive_account"),
    ),
)  # fmt: skip
