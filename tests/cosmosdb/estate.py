"""What Terraform would have made: a certificate, a database, its containers; and a credential."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure.core.credentials import AccessToken
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from secure_openai.tables import table

ACCOUNT = "account.documents.test"
"""A name that the certificate is good for, too: on 127.0.0.1 the client checks none."""


class FixedCredential:
    """A credential whose token means nothing: the emulator takes any.

    Attributes:
        asked: The scopes that a token was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """Return a token that is good for an hour."""
        self.asked.append(scopes)
        return AccessToken("emulator", int(time.time()) + 3600)

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> FixedCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def indexing_policy(indexed: list[str]) -> Any:
    """Return what Terraform writes: what is searched is named, the rest is not indexed."""
    return {
        "indexingMode": "consistent",
        "includedPaths": [{"path": path} for path in indexed],
        "excludedPaths": [{"path": "/*"}],
    }


async def make_database(url: str) -> str:
    """Make a database of a name of its own with the containers of the table; return its name."""
    name = f"test-{uuid4().hex[:12]}"
    async with CosmosClient(url, FixedCredential()) as client:
        database = await client.create_database(name)
        for container, row in table("containers").items():
            await database.create_container(
                container,
                PartitionKey(path=row["partition_key"], kind="Hash", version=2),
                default_ttl=row["default_ttl"],
                indexing_policy=indexing_policy(row["indexed"]),
            )
    return name


def make_certificate(folder: Path) -> Path:
    """Write a key and a certificate for loopback that vouches for itself; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cosmos DB in tests")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(ACCOUNT)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "cosmosdb.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a server with this certificate; its key may be in the same file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
