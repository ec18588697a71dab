"""What every `DeploymentManagement` promises; subclass it and provide the fixture `management`.

It has at least one account, and in the first of them a deployment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from secure_openai.errors import NotFound, RequestError
from secure_openai.model.management.interface import DeploymentManagement, Wanted

NAMES_THAT_ARE_NONE = ("", ".", "..", "-x", "x-", "a/b", "a b", "a%2fb", "x" * 65, "ä", "a\n")


class ManagementContract:
    """The promises of `DeploymentManagement`."""

    async def test_accounts(self, management: DeploymentManagement) -> None:
        """Accounts have keys, and one that is none is not found, whatever is asked of it."""
        assert len(management.accounts) >= 1
        for account in ("nowhere", *NAMES_THAT_ARE_NONE):
            for asked in (management.models, management.quota, management.deployments):
                with pytest.raises(NotFound):
                    await asked(account)
            with pytest.raises(NotFound):
                await management.deployment(account, "x")

    async def test_deployments(self, management: DeploymentManagement) -> None:
        """A deployment in the list reads the same by its name, with an etag that stays."""
        account = management.accounts[0]
        listed = await management.deployments(account)
        names = [one.name for one in listed]

        assert names == sorted(names)
        assert len(names) >= 1
        for one in listed:
            assert await management.deployment(account, one.name) == one
            assert one.account == account
            assert len(one.etag) >= 16

    async def test_no_such_deployment(self, management: DeploymentManagement) -> None:
        """A name that is none of theirs, or none at all, is not found."""
        account = management.accounts[0]
        for name in ("nothing-of-that-name", *NAMES_THAT_ARE_NONE):
            with pytest.raises(NotFound):
                await management.deployment(account, name)

    async def test_names(self, management: DeploymentManagement) -> None:
        """What is no name is refused with a pointer to it, and nothing begins."""
        account = management.accounts[0]
        before = await management.deployments(account)
        for name in NAMES_THAT_ARE_NONE:
            for part in ("name", "model", "version", "sku", "content_filter"):
                change: dict[str, Any] = {part: name}
                wanted = replace(Wanted(account, "fine", "gpt-5.1"), **change)
                with pytest.raises(RequestError) as caught:
                    await management.create(wanted)
                assert caught.value.pointer == f"/{part}"
        with pytest.raises(RequestError):
            await management.create(Wanted(account, "fine", "gpt-5.1", capacity=0))

        assert await management.deployments(account) == before

    async def test_deletions_are_confirmed(self, management: DeploymentManagement) -> None:
        """A deletion without the deployment's name is refused, and nothing begins."""
        account = management.accounts[0]
        (one, *_) = await management.deployments(account)
        for confirm in ("", "yes", one.name.upper() + "x"):
            with pytest.raises(RequestError):
                await management.delete(account, one.name, confirm=confirm, etag=one.etag)
        missing = "nothing-of-that-name"
        with pytest.raises(NotFound):
            await management.delete(account, missing, confirm=missing, etag=one.etag)
        for name in NAMES_THAT_ARE_NONE:
            # What cannot be a name is not said again, as one to confirm.
            with pytest.raises(NotFound):
                await management.delete(account, name, confirm="yes", etag=one.etag)

        assert await management.deployment(account, one.name) == one

    async def test_operations_that_are_none(self, management: DeploymentManagement) -> None:
        """A token that is not an operation's is not found."""
        for token in ("", "x", "e30", "W10", "bnVsbA", "é", "A" * 20_000, "WyJjcmVhdGUiLCJhIl0"):
            with pytest.raises(NotFound):
                await management.ask(token)
