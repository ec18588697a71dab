"""The real client library against a server in Resource Manager's shapes."""

from __future__ import annotations

from contextlib import aclosing
from datetime import date
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from secure_openai.errors import (
    DeploymentRejected,
    ManagementConflict,
    ManagementError,
    ManagementThrottled,
    ManagementUnavailable,
    NotFound,
    PreconditionFailed,
    QuotaInsufficient,
    RoleMissing,
    SecureOpenAIError,
)
from secure_openai.model.management import operations
from secure_openai.model.management.accounts import AccountId
from secure_openai.model.management.interface import (
    Kind,
    Progress,
    Quota,
    Retirement,
    Source,
    State,
    Wanted,
)
from secure_openai.model.management.operations import Operation, Patience, Way, follow
from secure_openai.model.management.resource_manager.deployments import AzureDeployments
from secure_openai.testing.management_contract import ManagementContract
from tests.model.management.resource_manager import (
    ACCOUNT_ID,
    SUBSCRIPTION,
    USAGES,
    ResourceManager,
    arm_error,
)
from tests.model.management.running import Credential, azure
from tests.servers import listening, port_of
from tests.tls import Tls

ACCOUNTS = {"main": AccountId.parse(ACCOUNT_ID)}
WANTED = Wanted("main", "answers", "gpt-5.1", capacity=20)
FORBIDDEN = (
    "The client 'ada@contoso.example' with object id '00000000-1111-4222-8333-444444444444' does "
    "not have authorization to perform action '{action}' over scope '/subscriptions/x' or the "
    "scope is invalid."
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again at once."""
    monkeypatch.setattr(operations, "LEAST_PAUSE_SECONDS", 0.001)


class TestAzureDeployments(ManagementContract):
    """The contract."""


async def all_steps(management: AzureDeployments, begun: Progress, **patience: Any) -> list[State]:
    """Follow to the end; return the states."""
    async with aclosing(follow(management, begun, Patience(**patience))) as steps:
        return [step.state async for step in steps]


REFUSALS: dict[str, tuple[Response, type[SecureOpenAIError], str]] = {
    "no role": (
        arm_error(
            403,
            "AuthorizationFailed",
            FORBIDDEN.format(action="Microsoft.CognitiveServices/accounts/deployments/write"),
        ),
        RoleMissing,
        "Secure OpenAI Deployment Manager on the account "
        "(Microsoft.CognitiveServices/accounts/deployments/write)",
    ),
    "a role without its action": (
        arm_error(403, "AuthorizationFailed", "Something else."),
        RoleMissing,
        "Secure OpenAI Deployment Manager on the account.",
    ),
    "a policy": (arm_error(403, "RequestDisallowedByPolicy"), ManagementError, "Azure Policy"),
    "a lock": (arm_error(409, "ScopeLocked"), ManagementConflict, "A lock on the account"),
    "a busy account": (
        arm_error(409, "RequestConflict", Retry_After="7"),
        ManagementConflict,
        "busy with another change",
    ),
    "an account in between": (
        arm_error(409, "AccountProvisioningStateInvalid"),
        ManagementConflict,
        "busy with another change",
    ),
    "another conflict": (arm_error(409, "Unheard"), ManagementConflict, "busy"),
    "quota": (arm_error(400, "InsufficientQuota"), QuotaInsufficient, "models quota"),
    "quota within a template's error": (
        JSONResponse(
            {
                "error": {
                    "code": "InvalidTemplateDeployment",
                    "message": "…",
                    "details": [{"code": "Other"}, {"code": "InsufficientQuota"}, 1],
                }
            },
            status_code=400,
        ),
        QuotaInsufficient,
        "models quota",
    ),
    "not offered": (
        arm_error(400, "DeploymentModelNotSupported"),
        DeploymentRejected,
        "models list",
    ),
    "retiring": (arm_error(400, "ServiceModelDeprecating"), DeploymentRejected, "a later one"),
    "throttled": (
        arm_error(429, "TooManyRequests", Retry_After="17"),
        ManagementThrottled,
        "too often",
    ),
    "down": (arm_error(503, "ServiceUnavailable", Retry_After="5"), ManagementUnavailable, "again"),
    "broken": (PlainTextResponse("secret", 500), ManagementUnavailable, "again soon"),
    "unheard of": (arm_error(400, "Unheard", "secret"), ManagementError, "(Unheard)"),
    "a code that is none": (arm_error(400, "<b>", "secret"), ManagementError, "did not do it."),
    "not JSON": (PlainTextResponse("[[[", 400), ManagementError, "did not do it."),
    "elsewhere": (RedirectResponse("https://evil.example/"), ManagementError, "did not do it."),
    "a sign-in that is over": (
        arm_error(401, "ExpiredAuthenticationToken"),
        ManagementError,
        "az login",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_what_azure_refuses_is_told_in_our_words(
    name: str, management: AzureDeployments, manager: ResourceManager
) -> None:
    """Each refusal is one sentence that says what to do; nothing of Azure's own text is in it."""
    response, kind, said = REFUSALS[name]
    manager.answer("PUT", "answers", response)
    with pytest.raises(SecureOpenAIError) as caught:
        await management.create(WANTED)

    assert type(caught.value) is kind
    assert said in caught.value.detail
    for hidden in ("secret", "ada@", "00000000-1111", "/subscriptions/x", "…"):
        assert hidden not in caught.value.detail
    retry_after = response.headers.get("retry-after")
    assert caught.value.retry_after == (None if retry_after is None else float(retry_after))
    assert manager.writes == [("PUT", "answers")]


async def test_nothing_is_sent_twice(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Throttled or down, a request goes out once: whoever asked decides whether to wait."""
    manager.answer("GET", "deployments", arm_error(429, "TooManyRequests", Retry_After="0"), 5)
    with pytest.raises(ManagementThrottled):
        await management.deployments("main")

    assert len(manager.seen) == 1


async def test_who_cannot_be_reached_is_said(tls: Tls) -> None:
    """Nobody listening, and somebody with another certificate, are both not available."""
    with listening() as bound:
        port = port_of(bound)
    client = azure(f"https://localhost:{port}", tls.ca)
    with pytest.raises(ManagementUnavailable, match="cannot be reached"):
        await client.deployments("main")
    await client.aclose()


async def test_a_foreign_certificate_is_not_believed(manager: ResourceManager) -> None:
    """Without the authority that is trusted no request is sent."""
    client = AzureDeployments(Credential(), ACCOUNTS, base_url=manager.url)
    with pytest.raises(ManagementUnavailable):
        await client.deployments("main")
    await client.aclose()

    assert manager.seen == []


async def test_an_http_address_gets_no_token(manager: ResourceManager) -> None:
    """The credential leaves over TLS only."""
    client = AzureDeployments(Credential(), ACCOUNTS, base_url=manager.url.replace("https", "http"))
    with pytest.raises(ManagementUnavailable):
        await client.deployments("main")
    await client.aclose()

    assert manager.seen == []


async def test_an_account_that_is_not_there(manager: ResourceManager, tls: Tls) -> None:
    """A resource id that Azure does not know is said by the account's key."""
    client = azure(manager.url, tls.ca, account=ACCOUNT_ID + "x")
    with pytest.raises(NotFound, match="no account main in Azure"):
        await client.deployments("main")
    await client.aclose()


async def test_a_credential_that_is_refused(manager: ResourceManager, tls: Tls) -> None:
    """A token that does not hold is said to be the sign-in's fault; it is asked for one scope."""
    credential = Credential("another")
    client = azure(manager.url, tls.ca, credential)
    with pytest.raises(ManagementError, match="az login"):
        await client.deployments("main")
    await client.aclose()

    assert set(credential.scopes) == {f"{manager.url}/.default"}


async def test_models_have_their_retirement_and_who_says_so(
    management: AzureDeployments,
) -> None:
    """All pages are read; Azure's own date counts, then the table's, else there is none."""
    models = await management.models("main")
    retirements = {(one.name, one.version): one.retirement for one in models}

    assert retirements == {
        ("gpt-4o", "2024-11-20"): Retirement(date(2026, 3, 31), Source.SERVICE, "gpt-5.1"),
        ("gpt-5.1", "2025-11-13"): Retirement(date(2027, 5, 15), Source.SERVICE, "gpt-5.5"),
        ("gpt-5.4-mini", "2026-03-17"): Retirement(date(2027, 3, 18), Source.TABLE, None),
        ("gpt-5.6", "2026-06-01"): None,
        ("gpt-5.9", "2026-07-01"): None,
        ("gpt-5.9", "2026-08-01"): None,
    }
    assert [one.version for one in models if one.name == "gpt-5.9"] == ["2026-08-01", "2026-07-01"]


async def test_quota_is_the_regions(management: AzureDeployments) -> None:
    """The account's region is looked up once; what is left is limit minus usage."""
    assert (await management.quota("main"))[1:] == [
        Quota("swedencentral", "OpenAI.DataZoneStandard.gpt-5.1", 250.0, 300.0),
        Quota("swedencentral", "OpenAI.GlobalStandard.gpt-5.1", 0.0, 1000.0),
    ]
    assert [one.left for one in await management.quota("main")] == [29, 50, 1000]


async def test_quota_that_may_not_be_read(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """The missing role is named; a deployment is made all the same, for Azure keeps the quota."""
    refused = arm_error(
        403,
        "AuthorizationFailed",
        FORBIDDEN.format(action="Microsoft.CognitiveServices/locations/usages/read"),
    )
    manager.answer("GET", "usages", refused, 2)
    with pytest.raises(RoleMissing, match="Cognitive Services Usages Reader on the subscription"):
        await management.quota("main")
    begun = await management.create(Wanted("main", "answers", "gpt-5.1", capacity=999))

    assert begun.state is State.UNDER_WAY


async def test_a_deployment_is_created(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """What is left open is chosen: version, the data zone's SKU, and the estate's filter."""
    begun = await management.create(WANTED)
    states = await all_steps(management, begun)
    (body,) = [body for method, _, body in manager.seen if method == "PUT"]

    assert states == [State.UNDER_WAY, State.UNDER_WAY, State.SUCCEEDED]
    assert body == {
        "sku": {"name": "DataZoneStandard", "capacity": 20},
        "properties": {
            "model": {"format": "OpenAI", "name": "gpt-5.1", "version": "2025-11-13"},
            "raiPolicyName": "secure-openai",
            "versionUpgradeOption": "NoAutoUpgrade",
        },
    }
    made = await management.deployment("main", "answers")
    assert (made.state, made.capacity, made.sku) == ("Succeeded", 20, "DataZoneStandard")


async def test_a_deployment_that_exists_is_not_overwritten(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Azure's PUT would change it: it is never sent."""
    with pytest.raises(ManagementConflict, match="already"):
        await management.create(Wanted("main", "chat", "gpt-5.1", capacity=1))

    assert manager.writes == []


BEFORE_ANYTHING_IS_SENT: dict[str, tuple[Wanted, type[SecureOpenAIError], str]] = {
    "retired": (
        Wanted("main", "x", "gpt-4o", capacity=1),
        DeploymentRejected,
        "retired gpt-4o 2024-11-20 on 2026-03-31: deploy gpt-5.1 instead",
    ),
    "too much": (
        Wanted("main", "x", "gpt-5.1", capacity=51),
        QuotaInsufficient,
        "swedencentral has 50 of 300 left of OpenAI.DataZoneStandard.gpt-5.1, and 51",
    ),
    "another account": (Wanted("second", "x", "gpt-5.1"), NotFound, "write one of main"),
}


@pytest.mark.parametrize("name", BEFORE_ANYTHING_IS_SENT)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    name: str, management: AzureDeployments, manager: ResourceManager
) -> None:
    """Nothing but reading reaches Azure."""
    wanted, kind, said = BEFORE_ANYTHING_IS_SENT[name]
    with pytest.raises(kind) as caught:
        await management.create(wanted)

    assert said in caught.value.detail
    assert manager.writes == []


@pytest.mark.parametrize("way", ["operation", "location"])
async def test_operations_end_as_azure_says(
    way: str, management: AzureDeployments, manager: ResourceManager
) -> None:
    """By either header an operation succeeds, or fails with the sentence of its error."""
    manager.way = way
    begun = await management.create(WANTED)
    assert await all_steps(management, begun) == [
        State.UNDER_WAY,
        State.UNDER_WAY,
        State.SUCCEEDED,
    ]
    error = {"code": "InsufficientQuota", "message": "secret"}
    manager.steps = ["Running", {"status": "Failed", "error": error}]
    begun = await management.create(Wanted("main", "more", "gpt-5.1", capacity=1))
    async with aclosing(follow(management, begun)) as steps:
        seen = [step async for step in steps]

    assert [step.state for step in seen] == [State.UNDER_WAY, State.UNDER_WAY, State.FAILED]
    assert "models quota" in seen[-1].detail
    assert "secret" not in seen[-1].detail


async def test_an_operation_that_was_canceled(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Cancelled by someone else, it has ended."""
    manager.steps = ["Canceled"]
    begun = await management.create(WANTED)

    assert (await all_steps(management, begun))[-1] is State.CANCELED


@pytest.mark.parametrize("way", ["resource", "elsewhere"])
async def test_without_a_place_of_azures_the_deployment_is_asked(
    way: str, management: AzureDeployments, manager: ResourceManager
) -> None:
    """Where no header, or one of another host, names a place, the deployment itself tells."""
    manager.way = way
    begun = await management.create(WANTED)
    operation = Operation.read(begun.operation)
    waiting = await management.ask(begun.operation)
    manager.finish()

    assert (operation.way, operation.path) == (Way.RESOURCE, "")
    assert waiting.state is State.UNDER_WAY
    assert (await management.ask(begun.operation)).state is State.SUCCEEDED


async def test_what_is_done_at_once_is_not_followed(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """An answer that says the end is the end."""
    manager.way = "at once"
    begun = await management.create(WANTED)
    asked = len(manager.seen)

    assert await all_steps(management, begun) == [State.SUCCEEDED]
    assert len(manager.seen) == asked
    found = await management.deployment("main", "answers")
    gone = await management.delete("main", "answers", confirm="answers", etag=found.etag)
    assert gone.state is State.SUCCEEDED


async def test_an_operation_is_resumed_elsewhere(
    management: AzureDeployments, manager: ResourceManager, tls: Tls
) -> None:
    """Another instance, which has only the token, follows it to its end."""
    begun = await management.create(WANTED)
    other = azure(manager.url, tls.ca)
    resumed = Progress(Kind.CREATE, "main", "answers", State.UNDER_WAY, begun.operation)
    states = await all_steps(other, resumed)
    await other.aclose()

    assert states[-1] is State.SUCCEEDED


async def test_asking_survives_a_bad_moment(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Throttling and outages while asking are waited out, so many in a row and no more."""
    bad = [arm_error(429, "TooManyRequests", Retry_After="0"), arm_error(503, "Down")]
    manager.steps = [*bad, "Running", *bad, "Succeeded"]
    begun = await management.create(WANTED)
    assert (await all_steps(management, begun))[-1] is State.SUCCEEDED
    manager.steps = [arm_error(503, "Down")]
    begun = await management.create(Wanted("main", "more", "gpt-5.1", capacity=1))
    with pytest.raises(ManagementUnavailable):
        await all_steps(management, begun, failures=2)


async def test_following_is_bounded(management: AzureDeployments, manager: ResourceManager) -> None:
    """Past the time it is said that Azure goes on; the deployment is left alone."""
    manager.steps = ["Running"]
    begun = await management.create(WANTED)
    with pytest.raises(ManagementUnavailable, match="still at it"):
        await all_steps(management, begun, seconds=0.02)

    assert manager.writes == [("PUT", "answers")]


async def test_following_stops_when_nobody_wants_it(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Closed after the first step, nothing more is asked, and nothing is taken back."""
    begun = await management.create(WANTED)
    async with aclosing(follow(management, begun)) as steps:
        await anext(steps)
        asked = len(manager.seen)

    assert len(manager.seen) == asked
    assert manager.writes == [("PUT", "answers")]


async def test_a_status_that_is_gone_falls_back_on_the_deployment(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Days later Azure has dropped the status, and the deployment still tells."""
    begun = await management.create(WANTED)
    manager.finish()
    manager.steps.clear()
    last = Operation.read(begun.operation).path.partition("?")[0].rpartition("/")[2]
    manager.answer("GET", last, arm_error(404, "NotFound"))

    assert (await management.ask(begun.operation)).state is State.SUCCEEDED


async def test_a_status_that_may_not_be_read_is_said(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """A refusal of the status resource is no end of the operation."""
    manager.steps = [arm_error(403, "AuthorizationFailed")]
    begun = await management.create(WANTED)
    with pytest.raises(RoleMissing):
        await management.ask(begun.operation)


async def test_a_deletion_is_of_what_was_looked_at(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """A deployment that changed since is not deleted; the one that was looked at is."""
    found = await management.deployment("main", "chat")
    manager.deployments["chat"]["sku"]["capacity"] = 51
    with pytest.raises(PreconditionFailed, match="look again"):
        await management.delete("main", "chat", confirm="chat", etag=found.etag)
    assert manager.writes == []
    again = await management.deployment("main", "chat")
    begun = await management.delete("main", "chat", confirm="chat", etag=again.etag)
    states = await all_steps(management, begun)

    assert states == [State.UNDER_WAY, State.UNDER_WAY, State.SUCCEEDED]
    assert manager.deployments == {}


async def test_everything_that_azure_changes_changes_the_etag(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Azure's own etag, the time of the last change, and each property count."""
    seen = {(await management.deployment("main", "chat")).etag}
    chat = manager.deployments["chat"]
    changes: list[tuple[dict[str, Any], str, Any]] = [
        (chat, "etag", "2"),
        (chat["systemData"], "lastModifiedAt", "2026-08-02T10:00:00Z"),
        (chat["properties"], "raiPolicyName", "Microsoft.Default"),
        (chat["properties"], "provisioningState", "Disabled"),
        (chat["properties"]["model"], "version", "2026-01-01"),
        (chat["sku"], "name", "GlobalStandard"),
    ]
    for where, name, value in changes:
        where[name] = value
        seen.add((await management.deployment("main", "chat")).etag)

    assert len(seen) == len(changes) + 1


async def test_a_deletion_seen_by_its_absence(
    management: AzureDeployments, manager: ResourceManager
) -> None:
    """Where only the deployment tells, a deletion has succeeded once it is gone."""
    manager.way = "resource"
    found = await management.deployment("main", "chat")
    begun = await management.delete("main", "chat", confirm="chat", etag=found.etag)
    assert (await management.ask(begun.operation)).state is State.UNDER_WAY
    manager.finish()
    assert (await management.ask(begun.operation)).state is State.SUCCEEDED
    never = Operation(Kind.CREATE, "main", "chat").token
    assert (await management.ask(never)).state is State.FAILED


FORGED = [
    "https://evil.example/x",
    "//evil.example/x",
    "/x",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Storage/x",
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/x/y/..",
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/x/y/z#f",
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/x/y/z/w",
    f"@evil.example/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/"
    "x/y/z",
    "/subscriptions/99999999-2222-4333-8444-555555555555/providers/Microsoft.CognitiveServices"
    "/locations/x/y/z",
]


@pytest.mark.parametrize("path", FORGED)
async def test_a_forged_operation_sends_our_credential_nowhere(
    path: str, management: AzureDeployments, manager: ResourceManager
) -> None:
    """Whoever makes up a token reaches no host and no resource of his choice."""
    for way in (Way.OPERATION, Way.LOCATION, Way.RESOURCE):
        with pytest.raises(NotFound):
            await management.ask(Operation(Kind.CREATE, "main", "x", way, path).token)

    assert manager.seen == []


async def test_a_quota_without_a_limit_is_none(
    management: AzureDeployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Azure counts without bounding does not stop anyone."""
    monkeypatch.setitem(USAGES[0], "limit", None)
    names = [one.name for one in await management.quota("main")]

    assert "OpenAI.DataZoneStandard.gpt-5.1" not in names
