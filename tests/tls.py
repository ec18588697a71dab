"""A certificate authority of the test's own, and a proxy that leads every name to loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Tls:
    """Files of a server's certificate, and of the authority that signed it."""

    ca: Path
    certificate: Path
    key: Path


def make_tls(folder: Path, *names: str, ended: bool = False) -> Tls:
    """Write an authority and a certificate for host names, or one whose time is over."""
    authority, leaf = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {names[0]}")])
    begin, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    leaf_end = datetime.now(UTC) - timedelta(minutes=1) if ended else end

    def certificate(
        subject: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )

    root = certificate(issuer, authority, end).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    server = certificate(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), leaf, leaf_end
    ).add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
    made = Tls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    for path, builder in ((made.ca, root), (made.certificate, server)):
        signed = builder.sign(authority, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        leaf.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


@dataclass
class Proxy:
    """An HTTP proxy that answers CONNECT for any name by one local port.

    Attributes:
        to: The port that every name leads to.
        asked: Every `host:port` that was asked for.
    """

    to: int
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tunnel one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ")[1].decode())
        onward, back = await asyncio.open_connection("127.0.0.1", self.to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(onward, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(to: int) -> AsyncIterator[Proxy]:
    """Serve a proxy until the block is left."""
    proxy = Proxy(to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
