"""What `secure-openai verify` does: look, sign, keep, and say it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from secure_openai.cli.auditing import audit_at_hand
from secure_openai.cli.console import NEGATIVE, err, out, show, waiting
from secure_openai.credential_settings import CredentialSettings
from secure_openai.credential_source import credential_for
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.new import ROUTES
from secure_openai.delivery.project import project_in
from secure_openai.delivery.verification import places
from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.doors import routes_of
from secure_openai.delivery.verification.evidence import Evidence, Signer, Subject, verdict_of
from secure_openai.delivery.verification.observation import Observation, Outcome
from secure_openai.delivery.verification.report import text_lines
from secure_openai.delivery.verification.verification import Target, from_inside, from_outside
from secure_openai.environment import (
    PREFIX,
    azure_host,
    function_host,
    given_values,
    variable_of,
)
from secure_openai.errors import SecureOpenAIError, StartError
from secure_openai.outbound import Outbound
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.printable import printable
from secure_openai.probes.asks import Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Answer, Prober
from secure_openai.settings import Settings
from secure_openai.store.audit import AuditEvent
from secure_openai.store.signing import FileSigner
from secure_openai.store_settings import FEATURES
from secure_openai.tables import table
from secure_openai.types import utc_now

if TYPE_CHECKING:
    from secure_openai.credential import Credential

HOME: Final = Path("~/.secure-openai")
EVIDENCE_KEY: Final = "EVIDENCE_KEY_URL"
EVENT: Final = "estate.verified"
"""What the audit calls it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        url: The application's origin.
        where: `outside`, `inside` or `laptop`.
        estate: A state or outputs that name the places.
        assume: What a proof took for granted.
        routes: A table of routes; None for the folder's own, or ours.
        identity: Whose roles are asked for; None for this host's, where it is one.
        token: A person's access token; `""` for none.
        data: The laptop's data folder.
        signing_key: Where a key of one's own lies; None for the default.
        output: Where the evidence goes.
    """

    url: str
    where: str
    estate: Path | None
    assume: Path | None
    routes: Path | None
    identity: Identity | None
    token: str = field(repr=False)
    data: Path
    signing_key: Path | None
    output: Path


def estate_is_named() -> bool:
    """Return whether the environment names an estate's stores."""
    given = given_values()
    return any(given.get(name, "").strip() for name in FEATURES)


async def verified(wanted: Wanted) -> int:
    """Look at everything, keep the evidence, and return the exit code.

    Raises:
        SecureOpenAIError: It could not be run; the sentence says why.
    """
    began = utc_now()
    if not os.access(wanted.output.absolute().parent, os.W_OK):
        raise StartError(f"{wanted.output} cannot be written: name another place with --output.")
    settings = CredentialSettings.load()
    target = _target(wanted, settings)
    outbound = Outbound.of(settings)
    async with _credential(wanted, settings, outbound) as credential:
        with waiting("Looking …") as progress:
            if wanted.where == "outside":
                bearer = None if credential is None else credential.bearer
                seen = await from_outside(target, Caller(outbound), bearer, progress)
            else:
                seen = await _inside(wanted, target, settings, outbound, credential, progress)
        subject = _subject(wanted, began)
        made, unsigned = await _signed(
            Evidence.of(subject, seen), wanted, settings, outbound, credential
        )
    made.write(wanted.output)
    show(lambda width: text_lines(subject, seen, made, width))
    out.print(f"Evidence written to {escape(str(wanted.output))}.", soft_wrap=True)
    if unsigned:
        err.print(f"[red]✗[/red] It is not signed: {escape(unsigned)}", soft_wrap=True)
    kept = await _recorded(made, wanted)
    verdict = verdict_of(seen)
    if verdict == Outcome.FINDING:
        return NEGATIVE
    return 0 if verdict == Outcome.HOLDS and not unsigned and kept else 2


def _target(wanted: Wanted, settings: CredentialSettings) -> Target:
    given = {variable_of(name): value for name, value in given_values().items()}
    found = [] if wanted.where == "laptop" else places.from_settings(given, settings.cloud)
    groups: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    if wanted.estate is not None:
        known = {one.host for one in found}
        named = places.from_file(wanted.estate, settings.cloud)
        found += [one for one in named.places if one.host not in known]
        groups, ids = named.groups, named.ids
    if wanted.where == "outside" and wanted.estate is None:
        raise StartError(
            "From outside every name of the estate is tried: give its state or its outputs with "
            "--estate (terraform show -json, terraform output -json)."
        )
    facts = settings.cloud_facts
    keys = (given.get(f"{PREFIX}{name}", "") for name in ("SEAL_KEY_URL", EVIDENCE_KEY))
    monitor = str(table("clouds")[settings.cloud]["zones"]["monitor"][0])
    return Target(
        url=wanted.url,
        places=tuple(found),
        routes=routes_of(wanted.routes or _own_routes()),
        key_urls=tuple(one for one in keys if places.ours(one, settings.cloud)),
        vault_scope=f"https://{facts.vault_domain}/.default",
        # Whoever should refuse it gets it: a token that opens next to nothing.
        elsewhere=f"https://{monitor.removeprefix('privatelink.')}/.default",
        assumed=Assumptions.load(wanted.assume).every if wanted.assume else (),
        groups=groups,
        ids=ids,
        token=wanted.token,
    )


def _own_routes() -> Path | None:
    """Return the routes of the application in whose folder this is typed, or None for ours."""
    project, written = project_in(Path()), Path(ROUTES)
    return written if project is not None and written.is_file() else None


@asynccontextmanager
async def _credential(
    wanted: Wanted, settings: CredentialSettings, outbound: Outbound
) -> AsyncIterator[Credential | None]:
    credential = None if wanted.where == "laptop" else credential_for(settings, outbound)
    try:
        yield credential
    finally:
        if credential is not None:
            await credential.close()


async def _inside(
    wanted: Wanted,
    target: Target,
    settings: CredentialSettings,
    outbound: Outbound,
    credential: Credential | None,
    progress: Callable[[str], None],
) -> list[Observation]:
    caller = Caller(outbound)
    if credential is None:
        return await from_inside(target, caller, None, progress)
    facts = settings.cloud_facts
    async with ResourceManager(
        outbound,
        credential.bearer,
        origin=facts.resource_manager,
        scope=facts.resource_manager_scope,
    ) as manager:
        return await from_inside(
            target,
            caller,
            credential.bearer,
            progress,
            answers=await _own(wanted, outbound, credential),
            manager=manager,
        )


async def _own(wanted: Wanted, outbound: Outbound, credential: Credential) -> list[Answer]:
    """Return what `check --live` learns, on the application's host or where somebody says so."""
    identity = wanted.identity
    if identity is None and azure_host():
        identity = Identity.FUNCTIONS if function_host() else Identity.WEB
    if identity is None:
        return []
    return await answers_of(Settings.load(), identity, Prober(outbound, credential.bearer))


def _subject(wanted: Wanted, began: datetime) -> Subject:
    estate = wanted.estate
    digest = hashlib.sha256(estate.read_bytes()).hexdigest() if estate is not None else ""
    name = printable(estate.name) if estate is not None else ""
    return Subject(wanted.url, wanted.where, name, digest, began, utc_now())


async def _signed(
    made: Evidence,
    wanted: Wanted,
    settings: CredentialSettings,
    outbound: Outbound,
    credential: Credential | None,
) -> tuple[Evidence, str]:
    """Return the evidence signed, or as it is with the reason.

    Inside it is the vault's key, unless somebody names one of their own; elsewhere, where nobody
    reaches the vault, one of this machine's.
    """
    try:
        if wanted.where == "inside" and wanted.signing_key is None:
            url = _evidence_key(settings)
            if credential is None:
                return made, "there is no credential to sign with: sign in with az login."
            async with _vaults(url, outbound, credential) as signer:
                return await made.signed(signer), ""
        return await made.signed(FileSigner.open(_own_key(wanted))), ""
    except SecureOpenAIError as error:
        return made, error.detail or str(error)


@asynccontextmanager
async def _vaults(url: str, outbound: Outbound, credential: Credential) -> AsyncIterator[Signer]:
    # Azure's clients are an extra: a laptop has none.
    from secure_openai.store.azure.key_vault import KeyVaultSigner  # noqa: PLC0415

    signer = KeyVaultSigner(url, credential=credential, outbound=outbound)
    try:
        yield signer
    finally:
        await signer.aclose()


def _evidence_key(settings: CredentialSettings) -> str:
    """Return the address of the key that signs evidence.

    Raises:
        StartError: No setting names one of the cloud's vaults.
    """
    url = given_values().get(EVIDENCE_KEY.lower(), "")
    if not places.ours(url, settings.cloud):
        raise StartError(
            f"{PREFIX}{EVIDENCE_KEY} names no key of Key Vault: take it from the output settings, "
            "or name a key of your own with --signing-key."
        )
    return url


def _own_key(wanted: Wanted) -> Path:
    if wanted.signing_key is not None:
        return wanted.signing_key
    home = wanted.data / "keys" if wanted.where == "laptop" else HOME.expanduser()
    return home / "verification.pem"


async def _recorded(made: Evidence, wanted: Wanted) -> bool:
    """Put the digest into the audit, where one is at hand; return whether it is there."""
    if wanted.where == "outside":
        out.print(
            "  The audit is not reached from outside. Verify from inside too, or keep the digest "
            "where nobody can change it.",
            soft_wrap=True,
        )
        return True
    event = AuditEvent(
        action=EVENT,
        at=utc_now(),
        principal=None,
        decision="allowed",
        reason="verified",
        facts={
            "sha256": made.sha256,
            "where": wanted.where,
            "verdict": str(made.document["verdict"]),
            "kid": made.kid,
        },
    )
    try:
        if wanted.where == "inside" and not estate_is_named():
            # A laptop's data folder may lie here, and is no place for it.
            raise StartError(
                "The environment names no estate: take a slot's settings from the output settings."
            )
        audit = audit_at_hand(wanted.data)
        await audit.append(event)
    except SecureOpenAIError as error:
        said = error.detail or str(error)
        err.print(
            f"[red]✗[/red] Its digest is not in the audit: {escape(said)} Whoever may write there "
            "(Cosmos DB Built-in Data Contributor on the slot's database) runs this again.",
            soft_wrap=True,
        )
        return False
    out.print(f"Its digest is in the audit of {escape(audit.where)}, as {EVENT}.", soft_wrap=True)
    return True
