"""The tables that Python and Terraform share, held from Python's side."""

from __future__ import annotations

from datetime import date

from secure_openai.model.parameters import parameters_of, successor_of
from secure_openai.settings import PREFIX, Settings
from secure_openai.tables import table
from secure_openai.types import APPLICATION_ROLES, PEOPLE_ROLES, Operation, Parameters


def test_every_setting_of_the_table_is_a_field() -> None:
    """What Terraform writes is read; a name that is not a field would stop the start."""
    ours = {
        name.removeprefix(PREFIX).lower() for name in table("settings") if name.startswith(PREFIX)
    }

    assert ours <= Settings.model_fields.keys()


def test_only_what_has_a_default_is_optional() -> None:
    """What Terraform may leave out is a field that does without."""
    left_out = [name for name, one in table("settings").items() if one.get("optional")]

    assert left_out == ["SECURE_OPENAI_APPEARANCE", "SECURE_OPENAI_POLICY"]
    for name in left_out:
        assert not Settings.model_fields[name.removeprefix(PREFIX).lower()].is_required()


def test_containers_are_the_stores() -> None:
    """Each store has its container, partitioned, and no container indexes a text."""
    containers = table("containers")

    assert set(containers) == {"audit", "conversations", "principals", "sessions", "usage"}
    for one in containers.values():
        assert one["partition_key"].startswith("/")
        assert all(path.endswith("/?") and "text" not in path for path in one["indexed"])
        # Cosmos DB indexes a partition key only where it is listed, or is the id.
        # Source: Microsoft Learn, "Manage indexing policies in Azure Cosmos DB".
        key = one["partition_key"]
        assert key == "/id" or f"{key}/?" in one["indexed"]


def test_needs_name_known_identities_and_no_broad_role() -> None:
    """Each row says why; nobody asks for Owner, Contributor or a role over a whole group."""
    for name, row in table("roles").items():
        assert row["why"], name
        assert set(row["identities"]) <= {"functions", "web"}, name
        assert row["role"] not in {"Owner", "Contributor", "Reader"}, name
        assert "group" not in row["scope"], name
        assert "subscription" not in row["scope"], name
        for action in row.get("actions", ()):
            assert "*" not in action, name
            assert action.endswith("/read") or "/deployments/" in action, name


def test_models_have_their_dates_and_successors() -> None:
    """Every model says when it retires; whoever is named instead is in the table too."""
    document = table("models")
    models = document["models"]

    assert date.fromisoformat(document["read"])
    for name, one in models.items():
        assert date.fromisoformat(one["retires"]), name
        assert one["instead"] is None or one["instead"] in models, name


def test_models_say_what_they_are_offered_as() -> None:
    """Whatever may still be deployed says as which sku, in each cloud."""
    document = table("models")
    judged = set(document["skus"]["judged"])

    assert date.fromisoformat(document["skus"]["read"])
    for name, one in document["models"].items():
        if one["stage"] != "retired":
            assert one["skus"].keys() == table("clouds").keys(), name
            assert one["skus"]["public"], name
            assert set(one["skus"]["public"]) | set(one["skus"]["usgovernment"]) <= judged, name


def test_models_say_what_they_take() -> None:
    """Whatever may still be deployed has its parameters, and they fit together."""
    document = table("models")

    assert date.fromisoformat(document["parameters"]["read"])
    assert set(document["parameters"]["reasoning_refuses"]) <= set(
        table("chat_completions")["request"]["members"]
    )
    for name, one in document["models"].items():
        if one["stage"] == "retired":
            continue
        taken = parameters_of(name)
        assert taken.operations, name
        assert taken.prompt_tokens is not None, name
        assert 0 < taken.prompt_tokens <= taken.window_tokens, name
        assert taken.answer_tokens <= taken.window_tokens, name
        assert ("temperature" in taken.refused) == bool(taken.reasoning_effort), name
        assert (Operation.EMBEDDINGS in taken.operations) == (taken.answer_tokens == 0), name
        assert successor_of(name) == (one["instead"] or "")


def test_a_model_nobody_knows_is_taken_for_a_plain_one() -> None:
    """Terraform takes any model with its version: so does the application, cautiously."""
    assert parameters_of("somebody's") == Parameters(operations=frozenset(Operation))
    assert successor_of("somebody's") == ""


def test_clouds_name_the_same_services() -> None:
    """A service that is private in one cloud is private in the other."""
    clouds = table("clouds")

    assert clouds["public"].keys() == clouds["usgovernment"].keys()
    assert clouds["public"]["zones"].keys() == clouds["usgovernment"]["zones"].keys()
    assert len(clouds["usgovernment"]["zones"]["monitor"]) == 6


def test_roles_of_people_and_applications_are_the_terraforms() -> None:
    """The Entra application declares the roles that the code knows."""
    assert {"admin", "user"} == PEOPLE_ROLES
    assert {"service"} == APPLICATION_ROLES
