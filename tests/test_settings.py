"""Settings: read once, every problem together, and no way to turn sign-in off."""

import json
import re
from pathlib import Path

import pytest

from secure_openai.accounts import ModelAccount
from secure_openai.assembly import assertion_of
from secure_openai.credential import credential_of
from secure_openai.credential_settings import CredentialKind, CredentialSettings
from secure_openai.errors import SettingsError
from secure_openai.outbound import Outbound
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
    "AZURE_CLIENT_ID": "identity",
}


ACCOUNTS = (
    '{"main": {"deployments": {"chat": "gpt-5.4-mini"}, "priority": 1,'
    ' "url": "https://oai-main.openai.azure.com/"},'
    ' "second": {"deployments": {"chat": "gpt-5.4-mini", "embed": "text-embedding-3-small"},'
    ' "priority": 2, "url": "https://oai-second.openai.azure.com"}}'
)
MODELS = AZURE | {
    "SECURE_OPENAI_MODEL_SOURCE": "azure",
    "SECURE_OPENAI_MODEL_ACCOUNTS": ACCOUNTS,
    "SECURE_OPENAI_FEDERATION_AUDIENCE": "api://AzureADTokenExchange",
    "SECURE_OPENAI_CLOUD": "public",
}


def test_an_empty_policy_is_none() -> None:
    """A policy that is named by nothing is the one that ships, not the folder that we stand in."""
    assert Settings.load(LAPTOP | {"SECURE_OPENAI_POLICY": " "}).policy is None
    assert Settings.load(LAPTOP | {"SECURE_OPENAI_POLICY": "ours.toml"}).policy == Path("ours.toml")


async def test_a_development_registration_is_a_public_client() -> None:
    """Entra signs people in on a laptop without anything that vouches; on an Azure host it does."""
    authority = AZURE["SECURE_OPENAI_AUTHORITY"]
    laptop = Settings.load(LAPTOP | {"SECURE_OPENAI_AUTHORITY": authority})
    hosted = Settings.load(AZURE)
    credential = credential_of(hosted, Outbound.of(hosted))

    assert assertion_of(laptop, credential) is None
    assert assertion_of(hosted, credential) is not None
    await credential.close()


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


def test_the_accounts_that_terraform_writes_are_read() -> None:
    """Names, addresses, turns and deployments, in their order."""
    settings = Settings.load(MODELS)

    assert settings.model_accounts == (
        ModelAccount("main", "https://oai-main.openai.azure.com", 1, (("chat", "gpt-5.4-mini"),)),
        ModelAccount(
            "second",
            "https://oai-second.openai.azure.com",
            2,
            (("chat", "gpt-5.4-mini"), ("embed", "text-embedding-3-small")),
        ),
    )
    assert settings.credential_kind is CredentialKind.MANAGED_IDENTITY
    assert settings.azure_client_id == "identity"


MAIN = {"deployments": {"chat": "m"}, "priority": 1, "url": "https://a.openai.azure.com"}


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ("", "model_accounts is missing"),
        ("{", "not JSON (at character 1)"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "names no account"),
        ("{}", "names no account"),
        ('{"a": 1, "a": 2}', "a is written twice"),
        ({"a/b": MAIN}, "the name of an account is"),
        ({"a": []}, "a is no account"),
        ({"a": {}}, "a has no url"),
        ({"a": MAIN | {"api_key": "x"}}, "a has api_key, which is no member"),
        ({"a": MAIN | {"priority": "1"}}, "a's priority is a whole number"),
        ({"a": MAIN | {"priority": True}}, "a's priority is a whole number"),
        ({"a": MAIN | {"priority": -1}}, "a's priority is a whole number"),
        ({"a": MAIN | {"url": "a.openai.azure.com"}}, "a's url is the account's address"),
        ({"a": MAIN | {"url": "https://a.openai.azure.com/openai"}}, "without path"),
        ({"a": MAIN | {"url": "https://u@a.openai.azure.com"}}, "query or user"),
        ({"a": MAIN | {"url": "http://a.openai.azure.com"}}, "a's url is https and ends with"),
        ({"a": MAIN | {"url": "https://evil.example"}}, "openai.azure.com or"),
        ({"a": MAIN | {"url": "https://evilopenai.azure.com"}}, "a's url is https and ends with"),
        ({"a": MAIN | {"url": "https://a.openai.azure.us"}}, "in the cloud public"),
        ({"a": MAIN | {"url": "http://127.0.0.1:1"}}, "a's url is https and ends with"),
        ({"a": MAIN | {"deployments": {}}}, "a has no deployment"),
        ({"a": MAIN | {"deployments": {"x/y": "m"}}}, "a name that Azure would not take"),
        ({"a": MAIN | {"deployments": {"chat": None}}}, "chat names its model"),
        ({"a": MAIN, "b": MAIN | {"deployments": {"chat": "n"}}}, "chat is m in a and n in b"),
    ],
)
def test_accounts_that_are_wrong_are_told(accounts: object, said: str) -> None:
    """Each mistake is one sentence that says what to write instead."""
    text = accounts if isinstance(accounts, str) else json.dumps(accounts)

    assert said in problems(MODELS | {"SECURE_OPENAI_MODEL_ACCOUNTS": text})


def test_everything_wrong_with_accounts_is_told_at_once() -> None:
    """Several mistakes are several sentences, each under the setting's name."""
    accounts = {"a": {"priority": "first"}, "b": MAIN | {"deployments": []}, "c": 7}
    text = json.dumps(accounts)
    lines = problems(MODELS | {"SECURE_OPENAI_MODEL_ACCOUNTS": text}).splitlines()

    assert len(lines) == 5
    assert all(line.startswith("SECURE_OPENAI_MODEL_ACCOUNTS: ") for line in lines)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AZURE_CLIENT_ID": ""}, ["AZURE_CLIENT_ID is missing"]),
        ({"SECURE_OPENAI_CREDENTIAL": "developer"}, ["leave credential out"]),
        ({"SECURE_OPENAI_CLOUD": "moon"}, ["SECURE_OPENAI_CLOUD: write public or usgovernment"]),
        (
            {"SECURE_OPENAI_CLOUD": "usgovernment"},
            [
                "authority signs in to the cloud public",
                "federation_audience is api://AzureADTokenExchangeUSGov",
                "main's url is https and ends with openai.azure.us",
            ],
        ),
        ({"SECURE_OPENAI_FEDERATION_AUDIENCE": "api://x"}, ["federation_audience is api://Azure"]),
        ({"SECURE_OPENAI_PROXY": "proxy:3128"}, ["SECURE_OPENAI_PROXY: write the proxy's http"]),
        ({"SECURE_OPENAI_MODEL_API_VERSION": "latest"}, ["SECURE_OPENAI_MODEL_API_VERSION"]),
        ({"SECURE_OPENAI_MODEL_IDLE_SECONDS": "0"}, ["SECURE_OPENAI_MODEL_IDLE_SECONDS"]),
        (
            {"SECURE_OPENAI_COSMOS_URL": "https://x", "SECURE_OPENAI_MODEL_ACCOUNTS": ""},
            ["SEAL_KEY_URL is missing", "COSMOS_URL is https", "model_accounts is missing"],
        ),
    ],
)
def test_what_does_not_fit_together_is_told_at_once(
    change: dict[str, str], said: list[str]
) -> None:
    """Fields that contradict one another are judged together, every sentence at once."""
    told = problems(MODELS | change)

    for sentence in said:
        assert sentence in told


JOB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://jobs.example/token",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
    "AZURE_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
}


def test_the_credential_is_where_one_is() -> None:
    """A job has GitHub's, a laptop the developer's, an Azure host its identity's."""
    kinds = [
        CredentialSettings.load(environment).credential_kind
        for environment in (JOB, {}, {"WEBSITE_SITE_NAME": "x", "AZURE_CLIENT_ID": "y"})
    ]

    assert kinds == [
        CredentialKind.PIPELINE,
        CredentialKind.DEVELOPER,
        CredentialKind.MANAGED_IDENTITY,
    ]
    assert CredentialSettings.load(LAPTOP | JOB).azure_tenant_id == "tenant"
    assert "secret" not in repr(CredentialSettings.load(JOB))
    chosen = CredentialSettings.load(JOB | {"SECURE_OPENAI_CREDENTIAL": "developer"})
    assert chosen.credential_kind is CredentialKind.DEVELOPER


@pytest.mark.parametrize("missing", JOB)
def test_a_job_that_lacks_something_is_told_what(missing: str) -> None:
    """Each of the four is named where it is missing, and how a job gets it."""
    environment = JOB | {missing: "", "SECURE_OPENAI_CREDENTIAL": "pipeline"}
    with pytest.raises(SettingsError, match=f"needs {missing}.*id-token: write"):
        CredentialSettings.load(environment)


def test_a_laptop_needs_no_credential() -> None:
    """Where nothing asks Azure nothing is missing, not even in a job."""
    job = LAPTOP | {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://jobs.example/token"}

    assert not Settings.load(job).uses_credential


def test_models_from_azure_on_a_laptop() -> None:
    """The developer's own sign-in asks Azure, or a stand-in on loopback; people stay local."""
    accounts = json.dumps({"a": MAIN, "b": MAIN | {"url": "http://127.0.0.1:9"}})
    settings = Settings.load(
        LAPTOP | {"SECURE_OPENAI_MODEL_SOURCE": "azure", "SECURE_OPENAI_MODEL_ACCOUNTS": accounts}
    )

    assert settings.credential_kind is CredentialKind.DEVELOPER
    assert [one.url for one in settings.model_accounts][1] == "http://127.0.0.1:9"


SENT = "InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint={}"


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        ("public", ""),
        ("public", "http://x.in.applicationinsights.azure.com/"),
        ("public", "https://x.in.applicationinsights.azure.us/"),
        ("public", "https://applicationinsights.azure.com.evil.example/"),
        ("public", "https://dc.services.visualstudio.com/"),
        ("usgovernment", "https://x.in.applicationinsights.azure.com/"),
    ],
)
def test_telemetry_goes_to_azure_monitor_alone(cloud: str, endpoint: str) -> None:
    """Our credential goes where the connection string says: nobody else's host may get it."""
    said = problems(
        LAPTOP
        | {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": SENT.format(endpoint),
            "SECURE_OPENAI_CLOUD": cloud,
        }
    )

    assert "APPLICATIONINSIGHTS_CONNECTION_STRING: its IngestionEndpoint is https" in said


def test_telemetry_uses_our_credential() -> None:
    """A place to send to is read under Azure's own name, and asks for a credential."""
    place = "https://swedencentral-0.in.applicationinsights.azure.com/"
    settings = Settings.load(
        LAPTOP | {"APPLICATIONINSIGHTS_CONNECTION_STRING": SENT.format(place) + ";X=y"}
    )

    assert settings.telemetry_url == place
    assert settings.uses_credential
    assert not Settings.load(LAPTOP).uses_credential
    assert "TRACE_PERCENT" in problems(LAPTOP | {"SECURE_OPENAI_TRACE_PERCENT": "101"})
