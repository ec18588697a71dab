"""What is approved is all that a plan was made from, and where it goes.

The program is a shell that answers as Terraform would: what is looked at is what surrounds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secure_openai.delivery.approval import Approval
from secure_openai.delivery.planned import listed, subscriptions
from secure_openai.delivery.terraform import Terraform
from secure_openai.errors import DeliveryError

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """Return a folder with a program that says what its environment is."""
    folder, private = tmp_path / "clone" / "infra", tmp_path / "private"
    folder.mkdir(parents=True)
    private.mkdir(mode=0o700)
    (folder / "main.tf").write_text("terraform {}\n")
    (folder / ".terraform.lock.hcl").write_text("")
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec env\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"bin:{os.environ['PATH']}")
    return Terraform.of(folder, private)


def approval(terraform: Terraform, **changed: Any) -> Approval:
    """Return what is approved of the folder."""
    plan = terraform.configuration.with_name("plan")
    plan.write_text("plan")
    given: dict[str, Any] = {
        "subscriptions": [ONE],
        "variables": [],
        "assumptions": None,
        "backend": None,
        "packages": [],
        "packages_url": "https://a.blob.core.windows.net/packages",
    }
    return Approval.of(plan, terraform=terraform, **given | changed)


def test_a_relative_program_of_the_path_is_the_one_that_was_found(terraform: Terraform) -> None:
    """The estate's folder may have a program at the same place."""
    evil = terraform.folder / "bin" / "terraform"
    evil.parent.mkdir()
    evil.write_text("#!/bin/sh\necho evil\n")
    evil.chmod(0o755)

    assert Path(terraform.program).is_absolute()
    assert terraform.workspace != "evil"


@pytest.mark.parametrize(
    "name",
    [
        "TF_CLI_ARGS_apply",
        "TF_CLI_CONFIG_FILE",
        "TF_DATA_DIR",
        "TF_LOG",
        "TF_LOG_PATH",
        "TF_LOG_PROVIDER",
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
        "TF_SKIP_PROVIDER_VERIFY",
        "TF_DISABLE_PLUGIN_TLS",
    ],
)
def test_what_changes_the_program_is_not_handed_on(
    name: str, terraform: Terraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another program, nor another place, nor a log with what is secret in it."""
    monkeypatch.setenv(name, "/evil")
    monkeypatch.setenv("TF_VAR_prefix", "chat")
    given = terraform.workspace.splitlines()

    assert [one for one in given if one.endswith("=/evil")] == []
    assert "TF_VAR_prefix=chat" in given
    assert f"TF_CLI_CONFIG_FILE={terraform.configuration}" in given
    assert "dev_overrides" not in terraform.configuration.read_text()


def module(place: str) -> Callable[[Terraform], Path]:
    """Return what lists a module at a place, as `terraform init` does."""

    def made(terraform: Terraform) -> Path:
        listing = terraform.folder / ".terraform" / "modules" / "modules.json"
        file = terraform.folder / place / "main.tf"
        for one in (listing, file):
            one.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"Key": "", "Dir": "."}, {"Key": "m", "Dir": place}]
        listing.write_text(json.dumps({"Modules": rows}))
        file.write_text("# good")
        return file

    return made


@pytest.mark.parametrize("place", [".terraform/modules/m", "../modules/m", ".hidden"])
def test_a_module_elsewhere_is_approved_too(place: str, terraform: Terraform) -> None:
    """Terraform runs what `modules.json` lists, and the folder's own digest leaves it out."""
    file = module(place)(terraform)
    before = approval(terraform)
    file.write_text("# evil")

    assert before.differing(approval(terraform)) == ["its modules have changed"]


def test_a_link_is_not_approved(terraform: Terraform) -> None:
    """The sentence names it, in the folder or in a module of it."""
    outside = terraform.folder.parent / "x.tf"
    outside.write_text("# good")
    link = module("../modules/m")(terraform).with_name("x.tf")
    link.symlink_to(outside)

    with pytest.raises(DeliveryError, match=r"modules/m/x\.tf is a link"):
        approval(terraform)


def test_modules_that_nobody_can_list_are_not_approved(terraform: Terraform) -> None:
    """What would run is then unknown."""
    module("../modules/m")(terraform)
    (terraform.folder / ".terraform" / "modules" / "modules.json").write_text("[]")

    with pytest.raises(DeliveryError, match="lists no modules"):
        approval(terraform)


def test_where_it_goes_is_approved_too(terraform: Terraform) -> None:
    """The backend's file, the state, the subscription and the container of packages."""
    backend = terraform.folder.parent / "backend.json"
    backend.write_text("{}")
    before = approval(terraform, backend=backend)
    backend.write_text('{"key": "other"}')
    assert before.differing(approval(terraform, backend=backend)) == [
        "the file of the backend is another one"
    ]
    backend.write_text("{}")
    state = terraform.folder / ".terraform" / "terraform.tfstate"
    state.parent.mkdir()
    said = {"backend": {"type": "azurerm", "config": {"key": "other"}}}
    state.write_text(json.dumps(said))
    now = approval(terraform, backend=backend, subscriptions=[OTHER], packages_url="https://b")
    assert before.differing(now) == [
        "its state is kept somewhere else",
        "the subscription is another one",
        "packages wait somewhere else",
    ]
    state.write_text("[]")
    with pytest.raises(DeliveryError, match="does not say where state is kept"):
        approval(terraform)


def plan(expression: dict[str, Any] | None) -> str:
    """Return a plan with one provider, as far as this looks."""
    expressions = {} if expression is None else {"subscription_id": expression}
    provider = {"name": "azurerm", "expressions": expressions}
    return json.dumps(
        {
            "variables": {"subscription_id": {"value": ONE.upper()}},
            "configuration": {"provider_config": {"azurerm": provider, "random": {"name": "x"}}},
        }
    )


@pytest.mark.parametrize(
    ("expression", "environment", "found"),
    [
        ({"constant_value": ONE}, OTHER, (ONE,)),
        ({"references": ["var.subscription_id"]}, OTHER, (ONE,)),
        (None, OTHER, (OTHER,)),
        ({"references": ["local.subscription"]}, "", ()),
        (None, "", ()),
    ],
)
def test_a_plans_subscription_is_its_providers(
    expression: dict[str, Any] | None, environment: str, found: tuple[str, ...]
) -> None:
    """Of the block, its variable or the environment; or nobody can tell."""
    assert found == subscriptions(plan(expression), {"ARM_SUBSCRIPTION_ID": environment})


def test_a_subscription_that_cannot_be_read_is_not_guessed() -> None:
    """An expression that names something else is not what the environment says."""
    computed = plan({"references": ["local.subscription"]})

    assert subscriptions(computed, {"ARM_SUBSCRIPTION_ID": ONE}) == ()


def test_each_change_is_listed_and_what_is_removed_first() -> None:
    """Who approves reads what, and not how many."""
    does = {
        "azurerm_subnet.this": ("create",),
        "azurerm_key_vault.this": ("delete", "create"),
        "azurerm_role_assignment.evil": ("update",),
    }

    assert listed(does) == [
        "! it removes and makes anew azurerm_key_vault.this",
        "it creates azurerm_subnet.this",
        "it updates azurerm_role_assignment.evil",
    ]


def test_of_a_long_list_the_instances_share_a_line() -> None:
    """What is removed never does, nor does what is alone of its kind."""
    many = {f'module.a["x"].azurerm_subnet.this[{n}]': ("create",) for n in range(50)}
    does = many | {f"azurerm_dns.this[{n}]": ("delete",) for n in range(2)}
    does |= {"azurerm_role_assignment.evil[0]": ("create",)}

    assert listed(does) == [
        "! it removes azurerm_dns.this[0]",
        "! it removes azurerm_dns.this[1]",
        "it creates module.a.azurerm_subnet.this, 50 instances",
        "it creates azurerm_role_assignment.evil[0]",
    ]
