"""The issuer as a process: `python -m secure_openai.local.identity_provider`."""

from __future__ import annotations

import argparse
import os
import secrets
import stat
import sys
from pathlib import Path

from secure_openai.errors import ConfigurationError, StartError
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.grants import Grants
from secure_openai.local.identity_provider.signing_keys import SigningKeys
from secure_openai.local.server import require_laptop, serve
from secure_openai.settings import is_loopback
from secure_openai.store.sqlite.database import private_folder

SECRET_NAME = "demo-application.secret"  # noqa: S105 - a file's name


def daemon_secret(folder: Path) -> str:
    """Return what the demo application proves itself with, made on first use, 0600."""
    path = folder / SECRET_NAME
    if not path.exists():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def identity_provider(data: Path, *, public_url: str, application_url: str) -> IdentityProvider:
    """Return the issuer over a data folder.

    Raises:
        StartError: An address is not on loopback, or the folder cannot be used.
    """
    for address in (public_url, application_url):
        if not is_loopback(address):
            raise StartError(f"{address} is not on loopback: this issuer is for the laptop only.")
    private_folder(data)
    return IdentityProvider(
        public_url=public_url,
        application_url=application_url,
        keys=SigningKeys(data),
        grants=Grants(),
        daemon_secret=daemon_secret(data),
    )


def main() -> int:
    """Serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="identity_provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--public-url", required=True)
    parser.add_argument("--application-url", required=True)
    parser.add_argument("--parent-pipe", type=int)
    options = parser.parse_args()
    try:
        require_laptop(options.host)
        provider = identity_provider(
            options.data, public_url=options.public_url, application_url=options.application_url
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a process's last word
        return 2
    serve(provider.app(), host=options.host, port=options.port, parent_pipe=options.parent_pipe)
    return 0


if __name__ == "__main__":
    sys.exit(main())
