"""What was not stored, or may not have been."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


class StoreError(SecureOpenAIError):
    """What has to be kept cannot be kept."""

    status = 503
    slug = "store-unavailable"
    title = "The store is not available"


class AuditUnavailable(StoreError):
    """The audit cannot be written, so nothing that must be audited is done."""

    slug = "audit-unavailable"
    title = "The audit cannot be written"


class AlreadyStored(StoreError):
    """What was to be stored first is there already: ids are ours, so nobody asked for it."""


class OutcomeUnknown(StoreError):
    """The store did not answer in time: what was to be written may be written all the same."""


class StorageFull(StoreError):
    """The disk or the store is full."""

    status = 507
    slug = "storage-full"
    title = "There is no room left to keep this"
