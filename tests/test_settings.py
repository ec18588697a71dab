"""Settings: read once, every problem together, and no way to turn sign-in off."""

import re
from pathlib import Path

import pytest

from secure_openai.errors import SettingsError
from secure_openai.settings import (
    AZURE_HOST_VARIABLES,
    PREFIX,
    ModelSource,
    Settings,
    is_loopback,
    is_loopback_host,
)

LAPTOP = {
    "SECURE_OPENAI_PUBLIC_URL": "http://localhost:8400",
    "SECURE_OPENAI_AUTHORITY": "http://localhost:8401/tenant/v2.0",
    "SECURE_OPENAI_TENANT_ID": "tenant",
    "SECURE_OPENAI_CLIENT_ID": "client",
    "SECURE_OPENAI_MODEL_URL": "http://127.0.0.1:8402/v1",
}
AZURE = LAPTOP | {
    "SECURE_OPENAI_PUBLIC_URL": "https://chat.contoso.com",
    "SECURE_OPENAI_AUTHORITY": "https://login.microsoftonline.com/tenant/v2.0",
    "SECURE_OPENAI_LISTEN_HOST": "0.0.0.0",
    "WEBSITE_SITE_NAME": "chat",
}


def problems(environment: dict[str, str]) -> str:
    """Return what `load` finds wrong."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(environment)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"LISTEN_HOST": "0.0.0.0"}, "listen_host must be a loopback address"),
        ({"LISTEN_HOST": "192.168.1.4"}, "listen_host must be a loopback address"),
        ({"PUBLIC_URL": "http://chat.contoso.com"}, "public_url must be on loopback"),
        ({"AUTHORITY": "http://login.contoso.com/tenant/v2.0"}, "authority must be on loopback"),
        (
            {
                "AUTHORITY": "https://login.microsoftonline.com/t/v2.0",
                "PUBLIC_URL": "http://chat.contoso.com",
            },
            "public_url must be https",
        ),
        ({"PUBLIC_URL": "http://localhost:8400/chat"}, "without a path"),
        ({"PUBLIC_URL": "http://user:pw@localhost:8400"}, "without user"),
        ({"PUBLIC_URL": "localhost:8400"}, "absolute http or https"),
        ({"PUBLIC_URL": "ftp://localhost"}, "absolute http or https"),
        ({"LISTEN_PORT": "70000"}, "LISTEN_PORT"),
        ({"MODEL_URL": ""}, "model_url is missing"),
        ({"SIGN_IN": "off"}, "SECURE_OPENAI_SIGN_IN is not a setting"),
        ({"AUTH_ENABLED": "false"}, "SECURE_OPENAI_AUTH_ENABLED is not a setting"),
    ],
)
def test_what_would_open_the_door_is_refused(change: dict[str, str], said: str) -> None:
    """Each setting that would leave the laptop's fence, or is unknown, stops the start."""
    assert said in problems(LAPTOP | {PREFIX + name: value for name, value in change.items()})


@pytest.mark.parametrize("name", AZURE_HOST_VARIABLES)
def test_an_http_authority_never_runs_on_an_azure_host(name: str) -> None:
    """Whatever says that this is an Azure host stops the laptop's issuer there."""
    assert "Azure host" in problems(LAPTOP | {name: "x"})


def test_every_problem_is_told_at_once() -> None:
    """An empty environment names each missing setting, with what it is for."""
    said = problems({})

    for name in ("PUBLIC_URL", "AUTHORITY", "TENANT_ID", "CLIENT_ID"):
        assert re.search(rf"{PREFIX}{name} is missing: \w", said)


def test_a_laptop_and_an_azure_host_load() -> None:
    """The two worlds differ by settings only."""
    laptop = Settings.load(LAPTOP, data=Path("/tmp/x"))
    azure = Settings.load(AZURE | {"SECURE_OPENAI_ALLOWED_HOSTS": "chat.azurewebsites.net, B"})

    assert not laptop.secure_cookies
    assert laptop.data == Path("/tmp/x")
    assert laptop.hosts == {"localhost:8400"}
    assert azure.secure_cookies
    assert azure.azure_host
    assert azure.hosts == {"chat.contoso.com", "chat.azurewebsites.net", "b"}
    assert azure.token_audience == "client"
    assert azure.model_source is ModelSource.URL


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping, `load` reads the process's own environment."""
    for name, value in LAPTOP.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SECURE_OPENAI_AUDIENCE", "api")

    assert Settings.load().token_audience == "api"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("[::1]", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("localhost.contoso.com", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
    ],
)
def test_loopback_is_only_this_machine(host: str, expected: bool) -> None:
    """A name that merely looks like loopback is not."""
    assert is_loopback_host(host) is expected


def test_loopback_of_an_address() -> None:
    """The host of an address decides, not its user or path."""
    assert is_loopback("http://127.0.0.1:1/x")
    assert not is_loopback("http://localhost@contoso.com/")
