"""`secure-openai prove`: whatever it is given, it reads it whole, or says in a sentence why not."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from secure_openai.cli.main import app
from secure_openai.posture import reading
from secure_openai.posture.simulation import simulate

SEED = 20261125

CONFIGURATION = """
provider "azurerm" {
  features {}
}

variable "location" {
  type    = string
  default = "westeurope"
}

variable "allowed" {
  type    = list(string)
  default = []
}

resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = var.location
}

resource "azurerm_service_plan" "this" {
  name                = "asp"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "P0v3"
}

resource "azurerm_linux_web_app" "this" {
  name                          = "app"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = var.location
  service_plan_id               = azurerm_service_plan.this.id
  public_network_access_enabled = false

  app_settings = {
    PLAN  = azurerm_service_plan.this.id
    PLAIN = "text"
  }
  site_config {
    dynamic "ip_restriction" {
      for_each = var.allowed
      content {
        ip_address = ip_restriction.value
      }
    }
  }
}

output "plain" {
  value = "text"
}
"""


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["prove", *map(str, arguments)])


def refused(result: Result, says: str) -> None:
    """Expect one clear sentence and exit 2."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small configuration."""
    found = tmp_path_factory.mktemp("configuration")
    (found / "main.tf").write_text(CONFIGURATION)
    return found


@pytest.fixture(scope="module")
def made(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return its plan and its state."""
    with simulate(folder, variables={"allowed": ["10.0.0.0/8", "192.0.2.0/24"]}) as done:
        return done.plan, done.state


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Return a function that writes a document to a file."""

    def write(document: Any) -> Path:
        given = tmp_path / "given.json"
        given.write_text(document if isinstance(document, str) else json.dumps(document))
        return given

    return write


RESOURCE = {
    "address": "azurerm_key_vault.a",
    "mode": "managed",
    "type": "azurerm_key_vault",
    "values": {"id": "/v", "name": "v"},
}


def state(resource: Any) -> dict[str, Any]:
    """Return a state of one resource."""
    return {"format_version": "1.0", "values": {"root_module": {"resources": [resource]}}}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "not whole JSON"),
        ("null", "neither a state nor a plan"),
        ('"text"', "neither a state nor a plan"),
        ('{"format_version": "1.0", "values": {"root_module": {}}} {}', "not whole JSON"),
        ('{"format_version": "1.0", "format_version": "1.0"}', '"format_version" twice'),
        (json.dumps(state(RESOURCE)).replace('"/v"', '"/v", "id": "/w"'), '"id" twice'),
        (json.dumps(state(RESOURCE)).replace('"/v"', "NaN"), "NaN is no number"),
        (json.dumps(state(RESOURCE)).replace('"/v"', "-Infinity"), "-Infinity is no number"),
        ({}, "says no format version"),
        ({"format_version": 1.0, "values": {}}, "format version"),
        ({"format_version": "2.0", "values": {}}, "format version"),
        ({"format_version": "1", "values": {}}, "format version"),
        ({"format_version": "1.x", "values": {}}, "format version"),
        ({"format_version": "1.0", "values": None}, "no whole state"),
        ({"format_version": "1.0", "values": []}, "no whole state"),
        ({"format_version": "1.0", "values": {"root_module": []}}, "no whole state"),
        ({"format_version": "1.0", "values": {"root_module": {"resources": {}}}}, "no resources"),
        (state(None), "no whole state"),
        (state({**RESOURCE, "values": None}), "no whole state"),
        (state({**RESOURCE, "values": ["x"]}), "no whole state"),
        (state({**RESOURCE, "type": 7}), "no whole state"),
        (state({**RESOURCE, "address": None}), "no whole state"),
        (state({key: value for key, value in RESOURCE.items() if key != "mode"}), "no whole state"),
        (state({**RESOURCE, "sensitive_values": "x"}), "no whole state"),
        (state({**RESOURCE, "mode": "data"}), "holds no resources"),
        (state({**RESOURCE, "mode": "MANAGED"}), "no whole state"),
        (
            {
                "format_version": "1.0",
                "planned_values": {"root_module": {"resources": [RESOURCE]}},
            },
            "no whole plan",
        ),
        (
            {
                "format_version": "1.0",
                "planned_values": {"root_module": {"resources": [RESOURCE]}},
                "resource_changes": [{"address": RESOURCE["address"], "change": {"actions": []}}],
            },
            "no whole plan",
        ),
        ({"format_version": "1.0", "planned_values": {}}, "holds no resources"),
        ({"format_version": "1.0", "planned_values": None}, "no whole plan"),
        (
            {
                "format_version": "1.0",
                "planned_values": {"root_module": {"resources": [RESOURCE]}},
                "resource_changes": [7],
            },
            "no whole plan",
        ),
        (
            {
                "format_version": "1.0",
                "planned_values": {"root_module": {"resources": [RESOURCE]}},
                "variables": [1],
            },
            "no whole plan",
        ),
        (
            {
                "format_version": "1.0",
                "errored": True,
                "planned_values": {"root_module": {"resources": [RESOURCE]}},
            },
            "ended in an error",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    written: Callable[[Any], Path], document: Any, says: str
) -> None:
    """Exit 2; nothing is proven of what two readers could read as two things."""
    refused(run(written(document)), says)


def test_a_file_over_the_limit_is_refused(
    written: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read."""
    given = written(state(RESOURCE))
    monkeypatch.setattr(reading, "LARGEST_BYTES", given.stat().st_size - 1)
    refused(run(given), "is larger than")


def test_what_is_not_there_is_refused(tmp_path: Path, folder: Path) -> None:
    """A path, a file of variables, a folder that a plan was made from."""
    refused(run(tmp_path / "nothing.json"), "cannot be read")
    refused(run(tmp_path), "holds no Terraform configuration")
    refused(run(folder, "--var-file", tmp_path / "nothing.tfvars"), "is no file of variables")


def test_options_belong_to_their_form(
    written: Callable[[Any], Path], folder: Path, made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """A state has its values, and needs no folder; a plan has its variables."""
    plan, whole = made
    refused(run(written(whole), "--config", folder), "--config belongs to a plan")
    refused(run(written(whole), "--var-file", folder / "main.tf"), "--var-file belongs to a folder")
    refused(run(written(plan), "--var-file", folder / "main.tf"), "--var-file belongs to a folder")
    refused(run(written(plan), "--config", folder / "nothing"), "holds no Terraform configuration")


def test_a_file_of_another_alphabet_is_read(
    made: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    """PowerShell redirects in UTF-16, and editors put marks before the first letter."""
    _, whole = made
    given = tmp_path / "given.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        given.write_text(json.dumps(whole), encoding=encoding)
        assert run(given).exit_code == 1


def test_every_form_of_one_configuration_ends_alike(
    written: Callable[[Any], Path], folder: Path, made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """A folder, its state, and its plan beside the folder have the same findings."""
    plan, whole = made
    found = [
        run(folder, "--format", "json"),
        run(written(whole), "--format", "json"),
        run(written(plan), "--config", folder, "--format", "json"),
    ]
    assert [one.exit_code for one in found] == [1, 1, 1]
    ids = [
        {one["id"] for one in json.loads(each.output)["statements"] if one["verdict"] == "finding"}
        for each in found
    ]
    assert ids[0] == ids[1] == ids[2]


def resource(plan: dict[str, Any], address: str) -> dict[str, Any]:
    """Return a planned resource's values."""
    root = plan["planned_values"]["root_module"]["resources"]
    values: dict[str, Any] = next(one for one in root if one["address"] == address)["values"]
    return values


WEB = "azurerm_linux_web_app.this"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda plan: plan["variables"].update(allowed={"value": []}), "differs in site_config"),
        (lambda plan: plan["variables"].update(location={"value": "eastus"}), "location"),
        (
            lambda plan: plan["variables"].update(unheard={"value": 1}),
            "unheard",
        ),
        (
            lambda plan: resource(plan, WEB)["app_settings"].update(PLAIN="another"),
            "differs in app_settings.PLAIN",
        ),
        (
            lambda plan: resource(plan, WEB)["app_settings"].update(API_KEY="abcdefgh"),
            "differs in app_settings.API_KEY",
        ),
        (lambda plan: resource(plan, WEB).update(https_only=True), "differs in https_only"),
        (
            lambda plan: resource(plan, WEB).update(public_network_access_enabled=None),
            "differs in public_network_access_enabled",
        ),
        (
            lambda plan: resource(plan, WEB)["site_config"][0]["ip_restriction"].pop(),
            "differs in site_config",
        ),
        (
            lambda plan: resource(plan, WEB)["site_config"][0]["ip_restriction"][0].update(
                ip_address="0.0.0.0/0"
            ),
            "differs in site_config",
        ),
        (lambda plan: resource(plan, WEB).update(connection_string=[{"name": "x"}]), "differs in"),
        (lambda plan: plan["planned_values"]["outputs"]["plain"].update(value="x"), "output plain"),
        (
            lambda plan: plan["planned_values"]["root_module"]["resources"].pop(),
            "only one of them has",
        ),
    ],
)
def test_a_plan_that_its_folder_would_not_make_is_refused(
    written: Callable[[Any], Path],
    folder: Path,
    made: tuple[dict[str, Any], dict[str, Any]],
    change: Callable[[dict[str, Any]], Any],
    says: str,
) -> None:
    """Otherwise the folder would be proven, and the plan be built."""
    plan = copy.deepcopy(made[0])
    change(plan)
    refused(run(written(plan), "--config", folder), says)


def test_members_of_a_set_may_stand_in_another_order(
    written: Callable[[Any], Path], folder: Path, made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """A plan writes sets as lists, in an order of its own."""
    plan = copy.deepcopy(made[0])
    resource(plan, WEB)["site_config"][0]["ip_restriction"].reverse()
    assert run(written(plan), "--config", folder).exit_code == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"complete": False}, "does not cover everything"),
        (
            {"deferred_changes": [{"reason": "x", "resource_change": {"address": "a.b"}}]},
            "its change is put off",
        ),
        (
            {
                "configuration": {
                    "root_module": {
                        "module_calls": {
                            "a": {
                                "module": {"resources": [{"address": "b.c", "provisioners": [{}]}]}
                            }
                        }
                    }
                }
            },
            "it runs a program while it is applied",
        ),
    ],
)
def test_what_a_plan_leaves_out_leaves_it_in_doubt(
    written: Callable[[Any], Path],
    made: tuple[dict[str, Any], dict[str, Any]],
    change: dict[str, Any],
    says: str,
) -> None:
    """It exists, or will, and stands in no planned value."""
    document = json.loads(run(written(made[0] | change), "--format", "json").output)
    whole = next(one for one in document["statements"] if one["id"] == "WHOLE-01")
    assert whole["verdict"] == "cannot tell"
    assert says in whole["cannot_tell"][0]["says"]


def test_what_terraform_forgets_leaves_it_in_doubt(
    written: Callable[[Any], Path], made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """It goes on standing in Azure, and in no state."""
    plan = copy.deepcopy(made[0])
    plan["resource_changes"].append({"address": "a.b", "change": {"actions": ["forget"]}})
    document = json.loads(run(written(plan), "--format", "json").output)
    whole = next(one for one in document["statements"] if one["id"] == "WHOLE-01")
    assert "leaves it standing" in whole["cannot_tell"][0]["says"]


def test_nothing_that_is_unknown_everywhere_is_proven(
    written: Callable[[Any], Path], made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """A plan of which nothing is known proves nothing about what it builds."""
    plan = copy.deepcopy(made[0])
    for one in plan["planned_values"]["root_module"]["resources"]:
        plan["resource_changes"] = [
            change
            for change in plan["resource_changes"]
            if change["address"] != one["address"] or change["mode"] != "managed"
        ]
        unknown = dict.fromkeys(one["values"], True)
        plan["resource_changes"].append(
            {"address": one["address"], "mode": "managed", "change": {"after_unknown": unknown}}
        )
        one["values"] = {}
    document = json.loads(run(written(plan), "--format", "json").output)
    verdicts = {one["id"]: one["verdict"] for one in document["statements"]}
    for statement in ("REACH-01", "REACH-02", "KEYS-05", "KEYS-07", "SIGNIN-04", "SIGNIN-06"):
        assert verdicts[statement] != "proven", statement


def test_no_damage_to_a_file_is_met_with_a_traceback(
    written: Callable[[Any], Path], made: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Cut, or with one thing in it replaced: a verdict, or a sentence."""
    chance = random.Random(SEED)
    for document in made:
        text = json.dumps(document)
        for _ in range(12):
            refused(run(written(text[: chance.randrange(len(text))])), "not whole JSON")
        for _ in range(40):
            damaged = copy.deepcopy(document)
            holder: Any = damaged
            for _ in range(chance.randrange(1, 7)):
                keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
                nested = [key for key in keys if isinstance(holder[key], dict | list)]
                if not nested:
                    break
                last = chance.choice(nested)
                if not holder[last]:
                    break
                holder = holder[last]
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            holder[chance.choice(keys)] = chance.choice([None, 7, "text", [], {}, [None], True])
            result = run(written(damaged))
            assert result.exception is None or isinstance(result.exception, SystemExit)
            assert result.exit_code in (0, 1, 2)
