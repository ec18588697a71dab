"""Branches of a conversation in Cosmos DB, read from parent to parent.

A message follows one with a smaller place, so that a branch is found going down the places once:
where others lie between two of its messages, the next is read by its id and the way goes on from
there. An item without the member `parent` was stored by a program that knew no branches, and
follows the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from secure_openai.store.conversations import MOST_SIBLINGS
from secure_openai.store.cosmos.container import Container
from secure_openai.store.cosmos.conversation_items import message_key
from secure_openai.types import JsonObject, MessageId, PrincipalId

AFTER_ALL = 2**53
"""Beyond any place."""

OF = "FROM c WHERE c.owner = @owner AND c.kind = 'message' AND c.conversation = @conversation"
OLDEST_FIRST = f"SELECT * {OF} AND c.sequence > @after ORDER BY c.sequence"
NEWEST_FIRST = f"SELECT * {OF} AND c.sequence < @after ORDER BY c.sequence DESC"
AT_PLACES = f"SELECT c.message, c.sequence {OF} AND ARRAY_CONTAINS(@places, c.sequence)"
FOLLOWING = (
    f"SELECT c.message, c.parent, c.sequence {OF} AND (ARRAY_CONTAINS(@parents, c.parent)"
    " OR (NOT IS_DEFINED(c.parent) AND ARRAY_CONTAINS(@places, c.sequence))) ORDER BY c.sequence"
)
LATER = f"SELECT c.message, c.parent, c.sequence {OF} AND c.sequence > @after ORDER BY c.sequence"
PAGE = 1000


class Branches:
    """Reads items of messages in the order of their branches.

    Args:
        container: Of conversations.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    async def _query(
        self,
        text: str,
        owner: PrincipalId,
        conversation: str,
        *,
        limit: int,
        **parameters: object,
    ) -> list[JsonObject]:
        return await self._container.query(
            text,
            {"owner": owner.key, "conversation": conversation, **parameters},
            partition=owner.key,
            limit=limit,
        )

    async def joined(
        self, owner: PrincipalId, conversation: str, items: Sequence[JsonObject]
    ) -> list[JsonObject]:
        """Return items of which each says what it follows."""
        loose = [item["sequence"] - 1 for item in items if "parent" not in item]
        at: dict[int, str] = {item["sequence"]: item["message"] for item in items}
        unknown = [place for place in loose if place > 0 and place not in at]
        if unknown:
            found = await self._query(
                AT_PLACES, owner, conversation, places=unknown, limit=len(unknown)
            )
            at |= {item["sequence"]: item["message"] for item in found}
        return [{"parent": at.get(item["sequence"] - 1), **item} for item in items]

    async def above(
        self, owner: PrincipalId, conversation: str, start: tuple[int, str | None], count: int
    ) -> list[JsonObject]:
        """Return at most `count` items of a branch, the last said first.

        Args:
            owner: Whose.
            conversation: Which.
            start: The place below which the branch ends, and at which message: the first that is
                met, unless said.
            count: How many.
        """
        branch: list[JsonObject] = []
        before, wanted = start
        while True:
            found = await self._query(
                NEWEST_FIRST, owner, conversation, after=before, limit=count - len(branch)
            )
            for item in await self.joined(owner, conversation, found):
                if wanted is None or item["message"] == wanted:
                    branch.append(item)
                    wanted = item["parent"]
                    if wanted is None or len(branch) == count:
                        return branch
            if wanted is None or not found:
                return branch
            following = await self._container.read_latest(
                message_key(conversation, wanted), owner.key
            )
            if following is None:
                # Its conversation is being cleared.
                return branch
            before = following["sequence"] + 1

    async def siblings(
        self, owner: PrincipalId, conversation: str, branch: Sequence[JsonObject]
    ) -> Mapping[str, tuple[MessageId, ...]]:
        """Return what stands beside each item of a branch, by its id."""
        parents = [item["parent"] for item in branch]
        # What follows one of them without saying so comes right after it.
        places = {item["sequence"] + 1: item["message"] for item in branch} | {1: None}
        found = await self._query(
            FOLLOWING,
            owner,
            conversation,
            parents=parents,
            places=list(places),
            limit=len(branch) * (MOST_SIBLINGS + 1),
        )
        following: dict[str | None, list[MessageId]] = {}
        for item in found:
            parent = item["parent"] if "parent" in item else places[item["sequence"]]
            following.setdefault(parent, []).append(MessageId(item["message"]))
        return {item["message"]: tuple(following.get(item["parent"], ())) for item in branch}

    async def followers(
        self, owner: PrincipalId, conversation: str, parent: str | None, *, besides: str
    ) -> int:
        """Return how many messages besides one name a parent, counted no further than matters."""
        found = await self._query(
            FOLLOWING, owner, conversation, parents=[parent], places=[], limit=MOST_SIBLINGS + 1
        )
        return sum(item["message"] != besides for item in found)

    async def newest_below(self, owner: PrincipalId, item: JsonObject) -> MessageId:
        """Return the newest of a message and all that follow it."""
        conversation, before = item["conversation"], item["sequence"]
        newest = last = str(item["message"])
        following = {newest}
        while True:
            found = await self._query(LATER, owner, conversation, after=before, limit=PAGE)
            for later in found:
                if later.get("parent", last) in following:
                    newest = later["message"]
                    following.add(newest)
                last, before = later["message"], later["sequence"]
            if len(found) < PAGE:
                return MessageId(newest)
