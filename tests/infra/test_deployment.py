"""The way into Azure: what the documents name is there, what applies hand each other fits."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Verdict, prove
from secure_openai.posture.reading import read
from secure_openai.posture.simulation import Workspace
from secure_openai.tables import table
from tests.infra.conftest import Applied
from tests.infra.estate import INFRA, ROOT, environment
from tests.infra.test_bootstrap import ESTATE, FOLDER, example

TUTORIAL, AFTERWARDS = "docs/deployment.md", "docs/estate.md"
PAGES = (TUTORIAL, "infra/README.md")
OWN_FOLDER = "templates/common/infra/README.md"
COMMANDS = {"apply", "destroy", "get", "init", "output", "providers", "show"}
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(terraform -chdir[^`…]*)`")
_OUTPUT = re.compile(r"outputs? `(\w+)`")


def commands(page: str, program: str = "terraform") -> list[list[str]]:
    """Return the commands of a page that call a program, each as its words, in order."""
    text = (ROOT / page).read_text()
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    lines += _INLINE.findall(text)
    return [shlex.split(line) for line in lines if line.startswith(f"{program} ")]


def declared(folder: Path, kind: str) -> set[str]:
    """Return the names of a folder's variables, outputs, modules or resources."""
    text = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    return {
        " ".join(names)
        for names in re.findall(rf'^{kind} "(\w+)"(?: "(\w+)")?', text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", [*PAGES, AFTERWARDS])
def test_every_command_names_what_is_there(page: str) -> None:
    """Folders, files, outputs and resources exist, or an earlier command has written them."""
    found = [*commands(TUTORIAL), *commands(page)] if page == AFTERWARDS else commands(page)
    written: set[Path] = set()

    assert len(found) >= 10
    for words in found:
        folder = ROOT / words[1].removeprefix("-chdir=")
        assert words[2] in COMMANDS
        assert list(folder.glob("*.tf")), words
        for word in words[3:]:
            option, _, value = word.partition("=")
            if option in ("-var-file", "-backend-config"):
                assert (folder / value).exists() or folder / value in written, word
            if option in ("-target", "-replace"):
                *modules, kind, name = value.split(".")
                place = folder / "modules" / modules[1] if modules else folder
                assert f"{kind} {name}" in declared(place, "resource"), word
        if words[2] == "output":
            assert f"{words[4]} " in declared(folder, "output"), words
        if ">" in words:
            written.add(ROOT / words[words.index(">") + 1])


def test_what_reads_the_configuration_names_what_is_there() -> None:
    """A proof and a diagnosis are asked of a folder and a file of variables that exist."""
    found = [
        words
        for page in (TUTORIAL, AFTERWARDS)
        for words in commands(page, ".venv/bin/secure-openai")
    ]

    assert {words[1] for words in found} == {"check", "deploy", "doctor", "prove", "verify"}
    for words in found:
        if words[1] not in {"doctor", "prove"}:
            continue
        assert list((ROOT / words[2]).glob("*.tf"))
        assert (ROOT / words[words.index("--var-file") + 1]).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_providers_are_locked_before_anything_is_initialised(page: str) -> None:
    """No lock file is committed: to make one is the first step."""
    steps = [words[2] for words in commands(page)]

    assert steps.index("providers") < steps.index("init")


def test_an_applications_own_folder_goes_the_same_way() -> None:
    """Its README types the tutorial's commands, in their order, with the folder's paths."""
    text = (ROOT / OWN_FOLDER).read_text().replace('"$PWD/infra/', '"').replace('"', "")
    own = [
        line.strip().replace("vendor/estate/infra", "infra").split()
        for line in text.splitlines()
        if line.strip().startswith("terraform ")
    ]

    def said(words: list[str]) -> tuple[str, ...]:
        # Files have other names there; folders, verbs and outputs have not.
        named = [word for word in words[:5] if not word.startswith("-var") and "=-" not in word]
        kept = 5 if words[2] == "output" else 3
        return tuple(named[:kept])

    assert [said(words) for words in own] == [said(words) for words in commands(TUTORIAL)]


def test_the_prices_of_the_tutorial_are_the_tables() -> None:
    """Each figure of its bill is one of `tables/prices.json`, or the architecture's sum."""
    prices = table("prices")
    page = (ROOT / TUTORIAL).read_text()
    (sums,) = re.findall(
        r"^\| \*\*together\*\* \| \*\*(\d+)\*\*",
        (ROOT / "docs/architecture.md").read_text(),
        re.MULTILINE,
    )
    bill = dict(re.findall(r"^\| (?:step \d[^:]*: )?([^|]+) \| (\d+) \|$", page, re.MULTILINE))
    listed = {one["what"]: f"{one['month']:.0f}" for one in prices["items"].values()}
    estate = next(what for what in bill if what.startswith("the estate as"))

    assert bill.pop(estate) == sums
    assert {what.removesuffix(", each of state and packages") for what in bill} <= listed.keys()
    for what, month in bill.items():
        assert month == listed[what.removesuffix(", each of state and packages")]
    assert len(bill) == 5
    assert prices["read"] in page


@pytest.mark.parametrize("page", [*PAGES, AFTERWARDS])
def test_every_output_that_is_named_is_declared(page: str) -> None:
    """People look for what the page calls an output."""
    both = declared(INFRA, "output") | declared(FOLDER, "output")

    assert {f"{name} " for name in _OUTPUT.findall((ROOT / page).read_text())} <= both


def test_links_lead_somewhere() -> None:
    """Each relative link of the pages is a file of the repository."""
    for page in (*PAGES, AFTERWARDS, "docs/adr/0007-a-trial-keeps-its-network.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            assert ((ROOT / page).parent / target).exists(), (page, target)


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Return the private estate as it is applied with bootstrap's ids beside its own file."""
    handed = tmp_path_factory.mktemp("handed") / "bootstrap.tfvars.json"
    handed.write_text(json.dumps(example().outputs["for_estate"]))
    return read(INFRA, variables=[environment("private"), handed]).estate


def test_what_bootstrap_hands_over_is_what_the_estate_takes(handed_over: Estate) -> None:
    """The estate is made with the key and the owner."""
    apply = example().at('azurerm_user_assigned_identity.deploy["apply"]').values["principal_id"]
    cosmos = handed_over.at("module.store.azurerm_cosmosdb_account.this")
    application = handed_over.at('module.identity.azuread_application.this["production"]')
    assert cosmos.values["key_vault_key_id"].endswith(".vault.azure.net/keys/estate")
    assert application.values["owners"] == [apply]


def test_what_bootstrap_hands_over_is_proven(handed_over: Estate) -> None:
    """With its key, its owner and its role the estate has no finding, as the page promises."""
    vouched = Assumptions.load(INFRA / "environments" / "bootstrap.assumptions.json")
    proof = prove(handed_over, assumed=vouched)

    assert handed_over.every("azurerm_role_assignment")
    assert proof.verdict is Verdict.PROVEN
    assert [one.name for one in proof.assumptions] == ["deployment manager"]


def test_what_the_estate_hands_over_is_what_bootstrap_takes(
    applied: Applied, tmp_path: Path
) -> None:
    """With the estate's ids beside its own file, bootstrap plans locks, and readers of packages."""
    (_, estate) = applied("private")
    handed = tmp_path / "estate.tfvars.json"
    handed.write_text(json.dumps(estate.outputs["for_bootstrap"]))
    with Workspace(FOLDER, var_files=[FOLDER / "example.tfvars", handed]) as workspace:
        planned = workspace.plan().changes

    given = estate.outputs["for_bootstrap"]["estate"]
    assert given.keys() == ESTATE.keys()
    assert len([one for one in planned if one.startswith("azurerm_management_lock.estate")]) == len(
        given["lock_ids"]
    )
    assert [one for one in planned if one.startswith("azurerm_role_assignment.package_reader")] == [
        f'azurerm_role_assignment.package_reader["{need}-{name}"]'
        for need, row in sorted(table("roles").items())
        if row["scope"] == "packages_container"
        for name in sorted(given["package_readers"])
        if name.split("-")[0] in row["identities"]
    ]
    assert not [
        identifier
        for identifier in given["lock_ids"].values()
        if "/microsoft.cognitiveservices/" in identifier.lower()
    ]
