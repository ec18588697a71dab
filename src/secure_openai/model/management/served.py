"""The deployments of a model server: they can be looked at, and change with the server only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from secure_openai.errors import NotFound, NotManaged, RequestError
from secure_openai.model.management.interface import (
    NO_DEPLOYMENT,
    ManagedDeployment,
    OfferedModel,
    Progress,
    Quota,
    Wanted,
)
from secure_openai.types import Deployment

ACCOUNT = "local"
"""The key of the only account."""

SERVED = (
    "This system's deployments are those of its model server: start it with another model "
    "(secure-openai up --model …), or manage the accounts of an Azure estate."
)


class ServedDeployments:
    """Implements `DeploymentManagement` where Azure is not.

    Args:
        deployments: Returns what is served.
        why: The sentence that says why nothing changes here.
    """

    def __init__(
        self, deployments: Callable[[], Sequence[Deployment]], *, why: str = SERVED
    ) -> None:
        self._deployments = deployments
        self._why = why

    @property
    def accounts(self) -> Sequence[str]:
        """Return the only key."""
        return (ACCOUNT,)

    async def models(self, account: str) -> Sequence[OfferedModel]:
        """Return the models that are served."""
        _require(account)
        names = sorted({one.model for one in self._deployments()})
        return [OfferedModel(name, version="", format="", default=True) for name in names]

    async def quota(self, account: str) -> Sequence[Quota]:
        """Return nothing: a model server takes what the machine gives."""
        _require(account)
        return ()

    async def deployments(self, account: str) -> Sequence[ManagedDeployment]:
        """Return what is served."""
        _require(account)
        return sorted((_shown(one) for one in self._deployments()), key=lambda one: one.name)

    async def deployment(self, account: str, name: str) -> ManagedDeployment:
        """Return one deployment."""
        for one in await self.deployments(account):
            if one.name == name:
                return one
        raise NotFound(NO_DEPLOYMENT)

    async def create(self, wanted: Wanted) -> Progress:
        """Refuse."""
        wanted.require_plain()
        _require(wanted.account)
        raise NotManaged(self._why)

    async def delete(self, account: str, name: str, *, confirm: str, etag: str) -> Progress:  # noqa: ARG002 - nothing is compared where nothing changes
        """Refuse."""
        await self.deployment(account, name)
        if confirm != name:
            raise RequestError(f"Confirm the deletion with the deployment's name, {name}.")
        raise NotManaged(self._why)

    async def ask(self, operation: str) -> Progress:  # noqa: ARG002 - none ever began
        """Refuse."""
        raise NotFound("There is no such operation.")

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


def _require(account: str) -> None:
    if account != ACCOUNT:
        raise NotFound(f"There is no such account here: write {ACCOUNT}.")


def _shown(deployment: Deployment) -> ManagedDeployment:
    facts = f"{deployment.name}\n{deployment.model}"
    return ManagedDeployment(
        account=ACCOUNT,
        name=deployment.name,
        model=deployment.model,
        version="",
        sku="",
        capacity=None,
        state="Succeeded",
        content_filter=None,
        upgrade=None,
        etag=hashlib.sha256(facts.encode()).hexdigest()[:32],
    )
