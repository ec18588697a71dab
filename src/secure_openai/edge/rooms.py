"""The rooms of the framework's application: which routers stand in each.

`app.py` serves all of them, and `applications` those that one's own application asks for.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final

from secure_openai.edge import (
    administration,
    answers,
    appearance,
    attachments,
    conversations,
    custody,
    deployments,
    feedback,
    gateway,
    health,
    me,
    messages,
    my_data,
    my_data_page,
    notice,
    pages,
    personal,
    preferences,
    quota,
    sign_in,
)
from secure_openai.edge.desk import (
    audit,
    forms,
    governance,
    principals,
    quotas,
    refusals,
    usage,
)
from secure_openai.edge.desk import pages as desk_pages


class Room(enum.Enum):
    """Parts of the framework's own application that one's own may have beside its routes."""

    SIGN_IN = "sign_in"
    """People sign in and out in a browser, and choose language and theme; errors are pages."""

    CHAT = "chat"
    """Conversations, their pages, and what a person may do with what is kept of him."""

    GATEWAY = "gateway"
    """The OpenAI-compatible door under /openai."""

    ADMINISTRATION = "administration"
    """Sessions, custody of the audit, and deployments, for administrators."""


ROUTERS: Final = MappingProxyType(
    {
        Room.GATEWAY: (gateway.router,),
        Room.CHAT: (
            conversations.router,
            messages.router,
            answers.router,
            my_data.router,
            personal.router,
            feedback.router,
            attachments.router,
            pages.router,
            my_data_page.router,
        ),
        Room.SIGN_IN: (
            pages.entry_router,
            sign_in.router,
            preferences.router,
            appearance.router,
        ),
        Room.ADMINISTRATION: (
            administration.router,
            custody.router,
            deployments.router,
            usage.router,
            principals.router,
            quotas.router,
            refusals.router,
            audit.router,
            governance.router,
            desk_pages.router,
            forms.router,
        ),
    }
)
ALWAYS: Final = (me.router, notice.router, quota.router, health.router)
"""Who one is, what one accepts before first use, what one has left, and whether it works."""

EVERY: Final = (
    # The busiest first: a request is compared with one route after the other.
    *ROUTERS[Room.GATEWAY],
    *ROUTERS[Room.CHAT],
    *ALWAYS,
    *ROUTERS[Room.SIGN_IN],
    *ROUTERS[Room.ADMINISTRATION],
)
"""What the framework's own application serves."""
