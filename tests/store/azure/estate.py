"""What stands in for Azure's estate: certificates for its names, tokens, and Azurite."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cosmosdb.server import EMULATORS, node

AZURITE = EMULATORS / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
ACCOUNT = "devstoreaccount1"
STORAGE = f"{ACCOUNT}.blob.core.windows.net"
VAULT = "kv-test.vault.azure.net"
TENANT = "11111111-1111-1111-1111-111111111111"


class Identity:
    """A credential whose tokens look like Entra ID's and are signed by nobody.

    Attributes:
        asked: The scopes that a token was asked for.
        lifetime: How many seconds a token is good for.
    """

    def __init__(self, lifetime: int = 3600) -> None:
        self.asked: list[str] = []
        self.lifetime = lifetime

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """Return a token for the scope's resource."""
        self.asked += scopes
        now = int(time.time())
        claims = {
            "aud": scopes[0].removesuffix("/.default"),
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + self.lifetime,
        }
        parts: tuple[dict[str, object], ...] = ({"alg": "RS256", "typ": "JWT"}, claims, {})
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        return AccessToken(token, now + self.lifetime)

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """Write a certificate for names, which vouches for itself, and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Azure in tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@contextmanager
def running_azurite(folder: Path, certificate: Path, key: Path) -> Iterator[int]:
    """Run Azurite, which takes tokens over TLS only, until the block is left; yield its port."""
    if not AZURITE.exists():
        pytest.fail("The emulators are not installed: run `make test` once.")
    process = subprocess.Popen(
        [
            *(node(), str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", "0"),
            *("--inMemoryPersistence", "--disableTelemetry"),
            *("--silent", "--skipApiVersionCheck", "--oauth", "basic"),
            *("--cert", str(certificate), "--key", str(key)),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            port = re.search(r"listens on https://127\.0\.0\.1:(\d+)", line)
            if port:
                yield int(port[1])
                return
        pytest.fail("Azurite did not start.")
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()
