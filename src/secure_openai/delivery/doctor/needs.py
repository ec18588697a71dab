"""What an estate needs of Azure, read off the simulated plan: nothing is typed twice."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from secure_openai.clouds import CLOUDS
from secure_openai.delivery.doctor.rights import Rights, azure_type, rights_of, subscription_of
from secure_openai.errors import StartError
from secure_openai.posture.built_in_roles import number_of
from secure_openai.posture.estate import Estate, Resource
from secure_openai.posture.private_link import infer_cloud
from secure_openai.posture.reading import read

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(StrEnum):
    """What a name is of."""

    COGNITIVE = "Azure OpenAI account"
    COSMOS = "Cosmos DB account"
    STORAGE = "storage account"
    VAULT = "key vault"
    WEB = "App Service"
    WORKSPACE = "Log Analytics workspace"


KINDS: Final = {
    "azurerm_cognitive_account": Kind.COGNITIVE,
    "azurerm_cosmosdb_account": Kind.COSMOS,
    "azurerm_key_vault": Kind.VAULT,
    "azurerm_linux_function_app": Kind.WEB,
    "azurerm_linux_web_app": Kind.WEB,
    "azurerm_log_analytics_workspace": Kind.WORKSPACE,
    "azurerm_storage_account": Kind.STORAGE,
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name that must be free, in all of Azure or in its resource group.

    Attributes:
        kind: What of.
        name: Itself.
        id: What the resource's id would be.
        group: Its resource group.
        region: Where it would stand.
        drawn: Whether a part of it is drawn when the estate is applied: nobody knows it before.
    """

    kind: Kind
    name: str
    id: str
    group: str
    region: str
    drawn: bool


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that would be made.

    Attributes:
        name: Its name.
        account: Id of its account.
        region: Of that account.
        model: Of which model.
        version: In which version; `""` for Azure's default.
        sku: Sold as what.
        capacity: How much of it.
    """

    name: str
    account: str
    region: str
    model: str
    version: str
    sku: str
    capacity: int

    @property
    def label(self) -> str:
        """Return what it is called in reports."""
        return f"{self.name} of {self.account.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that must be registered before a provider takes what uses it."""

    namespace: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """A network that would be made, or one that it is to be peered with.

    Attributes:
        name: Its name.
        id: Its id.
        prefixes: Its addresses.
    """

    name: str
    id: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """What an estate needs.

    Attributes:
        source: The configuration, for reports.
        cloud: `public` or `usgovernment`.
        tenant: Whose people sign in; `""` where nothing says so.
        subscription: Where it stands; `""` where nothing says so.
        rights: What whoever builds it must be allowed to do.
        providers: Namespaces that must be registered.
        features: Features that must be.
        deployments: Of models.
        names: That must be free.
        networks: That would be made.
        peers: Ids of networks that these are to be peered with.
        applications: Whether applications are made in Entra.
        assigned: Numbers of the roles that are assigned; of Cosmos DB's own nobody's are.
    """

    source: str
    cloud: str
    tenant: str
    subscription: str
    rights: Rights
    providers: tuple[str, ...]
    features: tuple[Feature, ...]
    deployments: tuple[Deployment, ...]
    names: tuple[Name, ...]
    networks: tuple[AddressSpace, ...]
    peers: frozenset[str]
    applications: bool
    assigned: frozenset[str]

    @classmethod
    def read(cls, path: Path, variables: Sequence[Path]) -> Self:
        """Simulate a configuration and return what it needs.

        Raises:
            ProofError: It cannot be read.
            StartError: It is a plan, which knows no ids.
        """
        source = read(path, variables=variables)
        if source.form == "plan":
            raise StartError(
                f"{path} is a plan, which does not know the ids of what it makes: give the folder "
                "that it was made from, with its variables."
            )
        return cls.of(source.estate, str(path))

    @classmethod
    def of(cls, estate: Estate, source: str) -> Self:
        """Return what an estate needs.

        Raises:
            ProofError: Its regions are of no one cloud.
        """
        rights = rights_of(estate)
        types = {azure_type(one.id) for one in estate.resources} - {""}
        return cls(
            source=source,
            cloud=infer_cloud(estate),
            tenant=_tenant(estate),
            subscription=subscription_of(estate),
            rights=rights,
            providers=tuple(sorted({one.partition("/")[0] for one in types} - ALWAYS)),
            features=tuple(_features(estate)),
            deployments=tuple(_deployments(estate)),
            names=tuple(_names(estate)),
            networks=tuple(_networks(estate)),
            peers=frozenset(
                one.refers("remote_virtual_network_id")
                for one in estate.every("azurerm_virtual_network_peering")
            ),
            applications=bool(estate.every("azuread_application")),
            assigned=frozenset(_assigned(estate)),
        )

    @property
    def graph(self) -> str:
        """Return the origin of Microsoft Graph in this cloud."""
        return CLOUDS[self.cloud].graph


ALWAYS: Final = frozenset({"Microsoft.Authorization", "Microsoft.Resources"})
"""Providers that every subscription has, whoever asks (Azure Resource Manager, "Resource providers
and types")."""


def _assigned(estate: Estate) -> Iterator[str]:
    for one in estate.every("azurerm_role_assignment"):
        identifier = str(one.values.get("role_definition_id") or "").rpartition("/")[2]
        yield identifier.lower() or number_of(str(one.values.get("role_definition_name") or ""))


def _tenant(estate: Estate) -> str:
    for one in estate.every("azurerm_linux_web_app"):
        settings = one.values.get("app_settings")
        if isinstance(settings, dict) and settings.get("SECURE_OPENAI_TENANT_ID"):
            return str(settings["SECURE_OPENAI_TENANT_ID"])
    for one in estate.every("azurerm_key_vault"):
        if one.values.get("tenant_id"):
            return str(one.values["tenant_id"])
    return ""


def _features(estate: Estate) -> Iterator[Feature]:
    """Yield features; sources: Azure, "Encryption at host", "Private Application Gateway"."""
    machines = estate.every("azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")
    if any(one.get("encryption_at_host_enabled") is True for one in machines):
        yield Feature("Microsoft.Compute", "EncryptionAtHost", "machines encrypt their disks")
    gateways = estate.every("azurerm_application_gateway")
    if any(
        not any(
            each.get("public_ip_address_id") for each in one.blocks("frontend_ip_configuration")
        )
        for one in gateways
    ):
        yield Feature(
            "Microsoft.Network",
            "EnableApplicationGatewayNetworkIsolation",
            "the edge has no public address",
        )


def _faces_the_internet(gateway: Resource) -> bool:
    faces = gateway.blocks("frontend_ip_configuration")
    return any(one.get("public_ip_address_id") for one in faces)


def plain_region(text: object) -> str:
    """Return a region as ids and addresses write it: lower case, without spaces."""
    return str(text or "").replace(" ", "").lower()


def _deployments(estate: Estate) -> Iterator[Deployment]:
    for one in estate.every("azurerm_cognitive_deployment"):
        account = str(one.values.get("cognitive_account_id") or "")
        holder = estate.known(account)
        model, sku = _first(one, "model"), _first(one, "sku")
        yield Deployment(
            name=one.name,
            account=account,
            region=plain_region(holder.values.get("location")) if holder else "",
            model=str(model.get("name") or ""),
            version=str(model.get("version") or ""),
            sku=str(sku.get("name") or ""),
            capacity=int(sku.get("capacity") or 1),
        )


def _first(one: Resource, name: str) -> dict[str, Any]:
    blocks = one.blocks(name)
    return dict(blocks[0]) if blocks else {}


def _names(estate: Estate) -> Iterator[Name]:
    drawn = [
        str(one.values["result"])
        for one in estate.every("random_string", "random_id", "random_pet")
        if one.values.get("result") and not isinstance(one.get("result"), str)
    ]
    for one in estate.every(*KINDS):
        name = str(one.values.get("custom_subdomain_name") or one.name)
        yield Name(
            kind=KINDS[one.type],
            name=name,
            id=one.id,
            group=str(one.values.get("resource_group_name") or ""),
            region=plain_region(one.values.get("location")),
            drawn=any(part in name for part in drawn),
        )


def _networks(estate: Estate) -> Iterator[AddressSpace]:
    for one in estate.every("azurerm_virtual_network"):
        yield AddressSpace(one.name, one.id, prefixes_of(one.items("address_space")))


def prefixes_of(written: Sequence[object]) -> tuple[Network, ...]:
    """Return ranges of addresses; what is none is left out."""
    found: list[Network] = []
    for one in written:
        try:
            found.append(ipaddress.ip_network(str(one)))
        except ValueError:
            continue
    return tuple(found)
