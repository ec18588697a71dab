"""Nobody has an estate proven in which something is open, by what is written or by what is not."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from secure_openai.errors import ProofError
from secure_openai.posture.estate import Estate, Place, Steps
from secure_openai.posture.explanation import explain
from secure_openai.posture.proof import Accepted, Proof, Verdict, prove
from secure_openai.posture.statements import STATEMENTS
from secure_openai.posture.statements.statement import Settings
from tests.infra.estate import built
from tests.posture.attacks import attacks
from tests.posture.mutants import Entry, Mutant, mutants, mutated, resources

SEED = 20261125
SHAPES: tuple[Any, ...] = (None, True, 7, -1.5, "", "text", [], {}, [None], {"": None}, [[[]]])

# Where a value that nobody knows opens nothing, with the reason.
NO_MATTER = {
    "access_policy": "a vault that answers to roles takes no access policy",
    "enable_https_traffic_only": "an argument that this version of the provider has not",
    "tags": "a label; what is not written yet cannot be recognised as a copy",
}


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the state of the private estate."""
    return built("private").state


def unproven(proof: Proof) -> set[str]:
    """Return the statements that did not come out proven."""
    return {one.statement.id for one in proof.judged if one.verdict is not Verdict.PROVEN}


def told_why(proof: Proof, wanted: set[str]) -> bool:
    """Return whether one of some statements says what is wrong, and not that it stumbled."""
    said = [
        outcome.says
        for one in proof.judged
        if one.statement.id in wanted
        for outcomes in (one.findings, one.doubts)
        for outcome in outcomes
    ]
    return any("has not the shape" not in one for one in said)


def test_every_attack_is_seen_by_the_statement_that_it_is_meant_to_deceive(
    state: dict[str, Any],
) -> None:
    """And the statement says what it sees."""
    escaped = []
    for attack in attacks():
        proof = prove(Estate.of(mutated(state, attack)))
        wanted = set(attack.statement.split())
        if not unproven(proof) & wanted or not told_why(proof, wanted):
            escaped.append((attack.name, attack.statement, sorted(unproven(proof))))
    assert escaped == []


def changed(before: Any, after: Any, path: Steps = ()) -> Iterator[Steps]:
    """Yield the ways to what differs between two values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from changed(before.get(name), after.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from changed(one, other, (*path, number))
    elif before != after:
        yield path


def places(state: dict[str, Any], mutant: Mutant) -> set[Place]:
    """Return which values a mutant changes; none where it adds or removes a resource."""
    before = {one["address"]: one["values"] for one in resources(state)}
    after = {one["address"]: one["values"] for one in resources(mutated(state, mutant))}
    if before.keys() != after.keys():
        return set()
    return {
        (address, path)
        for address, values in before.items()
        for path in changed(values, after[address])
    }


def without(state: dict[str, Any], where: set[Place]) -> dict[str, Any]:
    """Return a state without some values, as a plan leaves out what it does not know."""
    found = copy.deepcopy(resources(state))
    values = {one["address"]: one["values"] for one in found}
    for address, path in where:
        target: Any = values[address]
        for step in path[:-1]:
            target = target[int(step)] if isinstance(target, list) else target.get(step, {})
        if isinstance(target, list):
            target[int(path[-1])] = None
        else:
            target.pop(path[-1], None)
    return {"root_module": {"resources": found}}


def test_what_is_not_known_proves_nothing(state: dict[str, Any]) -> None:
    """In a plan, no statement is proven about a value that would make it false."""
    kinds = {one["address"]: one["type"] for one in resources(state)}
    seen: set[Any] = set()
    escaped = []
    for mutant in (*mutants(state), *attacks()):
        where = places(state, mutant)
        alike = frozenset((kinds[address], path) for address, path in where)
        if alike in seen or not where or any(path[0] in NO_MATTER for _, path in where):
            continue
        seen.add(alike)
        values = without(state, where)
        proof = prove(Estate.within(values, frozenset(where), relations=False))
        if not unproven(proof) & set(mutant.statement.split()):
            escaped.append((mutant.name, mutant.statement))
    assert escaped == []
    assert len(seen) > 100


def test_no_setting_is_safe_because_it_is_absent(state: dict[str, Any]) -> None:
    """What is left out is judged as what the provider does then."""
    wrong = []
    for statement in STATEMENTS:
        for one in statement.check.wanted if isinstance(statement.check, Settings) else ():
            values = copy.deepcopy(resources(state))
            top = one.path.split(".")[0]
            kinds = [entry for entry in values if entry["type"] in one.kinds]
            for entry in kinds:
                entry["values"].pop(top, None)
            if not kinds:
                continue
            proof = prove(Estate.of({"values": {"root_module": {"resources": values}}}))
            safe = one.default in one.accepted
            if (statement.id in unproven(proof)) is safe and top == one.path:
                wrong.append((statement.id, one.path, one.default))
    assert wrong == []


def shaken(values: Any, chance: random.Random) -> Any:
    """Return a value in which one thing, somewhere, has another shape."""
    ways: list[tuple[Any, Any]] = []
    waiting = [values]
    while waiting:
        one = waiting.pop()
        for key in one if isinstance(one, dict) else range(len(one)):
            ways.append((one, key))
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
    holder, key = chance.choice(ways)
    holder[key] = copy.deepcopy(chance.choice(SHAPES))
    return values


def test_no_shape_makes_a_proof_stumble(state: dict[str, Any]) -> None:
    """Whatever stands in arguments, there is a verdict, and a way is explained or refused."""
    chance = random.Random(SEED)
    whole = {"root_module": {"resources": resources(state)}}
    for _ in range(80):
        values = copy.deepcopy(whole)
        for entry in chance.sample(values["root_module"]["resources"], 12):
            entry["values"] = shaken(entry["values"], chance)
        proof = prove(Estate.within(values))
        assert len(proof.judged) == len(STATEMENTS)
        try:
            explain(proof.topology, "web -> cosmos")
        except ProofError:
            continue


def entry(kind: str, label: str, **values: Any) -> Entry:
    """Return a resource of a state."""
    return {"address": f"{kind}.{label}", "mode": "managed", "type": kind, "values": values}


def alone(*entries: Entry) -> Proof:
    """Prove an estate of a few resources."""
    return prove(Estate.within({"root_module": {"resources": list(entries)}}))


def test_what_was_put_aside_is_judged_too() -> None:
    """A deposed object still stands in Azure under the address of its successor."""
    good = entry(
        "azurerm_cosmosdb_account", "a", id="/c", name="c", public_network_access_enabled=False
    )
    deposed = copy.deepcopy(good)
    deposed["values"]["public_network_access_enabled"] = True
    assert "REACH-01" in unproven(alone(good, deposed | {"deposed_key": "00000001"}))


def test_a_key_that_was_looked_up_is_recognised_where_it_is_copied(state: dict[str, Any]) -> None:
    """A data source is no part of the estate; what it answers may be."""
    looked_up = {
        "address": "data.azurerm_cognitive_account.theirs",
        "mode": "data",
        "type": "azurerm_cognitive_account",
        "values": {"primary_access_key": "Zm9yZWlnbi1rZXktMTIzNDU2"},
    }
    values = copy.deepcopy(resources(state))
    web = next(one for one in values if one["type"] == "azurerm_linux_web_app")
    web["values"]["app_settings"]["THEME"] = "Zm9yZWlnbi1rZXktMTIzNDU2"
    proof = prove(Estate.within({"root_module": {"resources": [*values, looked_up]}}))
    assert "KEYS-07" in unproven(proof)


def test_a_setting_that_terraform_marks_as_sensitive_is_a_secret(state: dict[str, Any]) -> None:
    """Under whatever name: what it came from was a secret."""
    values = copy.deepcopy(resources(state))
    web = next(one for one in values if one["type"] == "azurerm_linux_web_app")
    web["values"]["app_settings"]["THEME"] = "correct horse battery"
    web["sensitive_values"]["app_settings"]["THEME"] = True
    assert "KEYS-07" in unproven(prove(Estate.within({"root_module": {"resources": values}})))


def test_ids_of_one_resource_in_other_letters_are_one(state: dict[str, Any]) -> None:
    """Two zones of one id are one zone, and none shadows another."""

    def shout(found: list[Entry]) -> None:
        for one in found:
            for name, value in one["values"].items():
                if name.endswith("_id") and isinstance(value, str) and value.startswith("/"):
                    one["values"][name] = value.upper()

    assert unproven(prove(Estate.of(mutated(state, Mutant("shouted", "", shout))))) == set()


def test_odd_keys_and_deep_modules_are_walked(state: dict[str, Any]) -> None:
    """However an instance is called, and however deep its module lies."""
    odd = 'azurerm_cosmosdb_account.a["../\\"x\\"] => \\u0000\\u202e"]'
    module: dict[str, Any] = {
        "resources": [entry("azurerm_cosmosdb_account", "a", id="/c", name="c") | {"address": odd}]
    }
    for _ in range(3000):
        module = {"child_modules": [module]}
    proof = prove(Estate.within({"root_module": module}))
    findings = {finding.address for _, finding in proof.findings}
    assert odd in findings


def test_what_was_accepted_leaves_no_doubt(state: dict[str, Any]) -> None:
    """Whoever looked at a type himself has an end of it; whatever else is there has not."""
    more = [
        entry("azurerm_kubernetes_cluster", "a", id="/a", name="a"),
        entry("azurerm_lb", "b", id="/b", name="b"),
    ]
    estate = Estate.within({"root_module": {"resources": [*resources(state), *more]}})
    looked_at = Accepted("WHOLE-01", "azurerm_kubernetes_cluster.a", "looked at", date.max)
    reach = next(
        one for one in prove(estate, accepted=[looked_at]).judged if one.statement.id == "REACH-01"
    )
    assert [doubt.address for doubt in reach.doubts] == ["azurerm_lb.b"]
