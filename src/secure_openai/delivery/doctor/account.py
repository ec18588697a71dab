"""The tenant and the subscription: whether the sign-in is of the one, and the other can be used.

Source: Azure, "Azure subscription states"; Azure Resource Manager, "Resolve common errors:
InvalidAuthenticationTokenTenant, SubscriptionNotFound".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome
from secure_openai.delivery.doctor.resource_manager import ResourceManager

VERSION: Final = "2022-12-01"
USABLE: Final = "Enabled"
STILL_USABLE: Final = frozenset({"PastDue", "Warned"})
"""States in which a bill is open, and Azure still builds."""

NOT_THERE: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class Account:
    """Tenant and subscription as they were meant, and what Azure says of them.

    Attributes:
        answers: What came of it.
        usable: Whether anything else can be asked of the subscription.
    """

    answers: tuple[Answer, ...]
    usable: bool


async def account_of(manager: ResourceManager, subscription: str, tenant: str) -> Account:
    """Ask for the subscription.

    Args:
        manager: Whom to ask.
        subscription: Which one.
        tenant: Whose it should be; `""` for whoever's it is.

    Raises:
        SecureOpenAIError: It cannot be asked.
    """
    reply = await manager.reply(f"/subscriptions/{subscription}", VERSION)
    if reply.code == "InvalidAuthenticationTokenTenant":
        return Account((_other_tenant(tenant, subscription),), usable=False)
    if reply.status in NOT_THERE:
        return Account((_not_there(subscription),), usable=False)
    if reply.status != HTTPStatus.OK:
        raise reply.refusal()
    found = str(reply.body.get("tenantId", "")).lower()
    state = str(reply.body.get("state", ""))
    answers = [*_tenant(found, tenant), _state(subscription, state)]
    return Account(tuple(answers), usable=state in {USABLE, *STILL_USABLE})


def _tenant(found: str, wanted: str) -> Iterator[Answer]:
    if not wanted or found == wanted.lower():
        yield Answer(Check.TENANT, found, Outcome.FINE, "the subscription is this tenant's")
        return
    yield Answer(
        Check.TENANT,
        wanted,
        Outcome.FINDING,
        f"people sign in to this tenant, and the subscription is of {found}: managed identities "
        "would vouch in the wrong one",
        f'entra = {{ tenant_id = "{found}" }}  # or choose a subscription of {wanted}',
    )


def _state(subscription: str, state: str) -> Answer:
    if state == USABLE:
        return Answer(Check.SUBSCRIPTION, subscription, Outcome.FINE, "it is enabled")
    if state in STILL_USABLE:
        return Answer(
            Check.SUBSCRIPTION,
            subscription,
            Outcome.LOOK,
            f"it is {state}: a bill is open, and Azure will disable it",
        )
    return Answer(
        Check.SUBSCRIPTION,
        subscription,
        Outcome.FINDING,
        f"it is {state or 'in no state that is known'}: nothing can be made in it until its owner "
        "enables it in the portal, under Subscriptions",
        f"az account subscription enable --subscription-id {subscription}",
    )


def _other_tenant(tenant: str, subscription: str) -> Answer:
    wanted = tenant or "the subscription's tenant"
    return Answer(
        Check.TENANT,
        wanted,
        Outcome.FINDING,
        "the sign-in is of another tenant than the subscription's",
        f"az login --tenant {tenant or 'TENANT'} && az account set --subscription {subscription}",
    )


def _not_there(subscription: str) -> Answer:
    return Answer(
        Check.SUBSCRIPTION,
        subscription,
        Outcome.FINDING,
        "who is signed in sees no such subscription: it is another one, or no role reaches it",
        f"az account set --subscription {subscription}  # az account list shows those you have",
    )
