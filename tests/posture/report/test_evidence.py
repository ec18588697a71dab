"""A proven statement says what it looked at."""

from __future__ import annotations

from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Verdict
from secure_openai.posture.report.controls import TITLES, controls
from secure_openai.posture.report.evidence import evidence, together
from secure_openai.posture.report.families import families
from secure_openai.posture.report.report import Report
from secure_openai.posture.statements import STATEMENTS


def test_no_proven_statement_is_without_evidence(private: Report) -> None:
    """What it saw, what it covers, or that there is nothing of the kind."""
    estate = private.proof.topology.estate
    for one in private.proof.judged:
        found = evidence(one, estate)
        assert one.verdict is Verdict.PROVEN
        assert found.says.startswith(("Looked at", "The estate has nothing of the kind")), one
        assert bool(one.seen) == found.says.startswith("Looked at"), one


def test_what_there_is_none_of_is_said(private: Report) -> None:
    """Where there is nothing to judge, a proven statement does not look as if it had judged."""
    machines = next(one for one in private.proof.judged if one.statement.id == "KEYS-09")

    assert evidence(machines, private.proof.topology.estate).says.startswith(
        "The estate has nothing of the kind: no azurerm_linux_virtual_machine"
    )


def test_a_setting_is_seen_with_its_value(private: Report) -> None:
    """Where it stands and what it is."""
    keys = next(one for one in private.proof.judged if one.statement.id == "KEYS-01")
    found = evidence(keys, private.proof.topology.estate)

    assert {one.says: one.addresses for one in found.sights}[
        "shared_access_key_enabled is false"
    ] == (
        "module.store.azurerm_storage_account.host",
        "module.store.azurerm_storage_account.records",
    )


def test_what_is_stored_is_seen_to_be_no_secret(private: Report) -> None:
    """The settings of each application, the outputs, and everything else."""
    stored = next(one for one in private.proof.judged if one.statement.id == "KEYS-07")
    says = [one.says for one in stored.seen]

    apps = private.proof.topology.apps
    assert len([one for one in says if one.startswith("none of its")]) == len(apps)
    outputs = [one for one in says if one.startswith("output ")]
    assert len(outputs) == len(private.proof.topology.estate.outputs)
    assert says[-1].endswith("other resources hold no secret")


def test_nothing_is_seen_where_something_is_wrong(faulty: Report) -> None:
    """What was seen of a resource is not the opposite of what was found."""
    found = next(one for one in faulty.proof.judged if one.statement.id == "ROLES-05")
    wrong = {one.address for one in found.findings}

    assert wrong
    assert wrong & {one.address for one in found.seen} == set()


def test_evidence_names_only_what_is_there(report: Report) -> None:
    """No address that the estate does not have, but for routes of the application."""
    known = {one.address for one in report.proof.topology.estate.resources}
    for one in report.proof.judged:
        for seen in one.seen:
            outside = seen.address.startswith(("/subscriptions/", "route "))
            assert outside or not seen.address or seen.address in known, seen


def test_instances_of_one_resource_stand_together() -> None:
    """Thirteen zones are one line."""
    assert together(['a.b["x"]', "c.d", 'a.b["y.z[0]"]', "e.f[0]", "e.f[1]", ""]) == (
        'a.b["x", "y.z[0]"]',
        "c.d",
        "e.f[0, 1]",
    )


def test_every_family_has_a_name_and_a_question(private: Report) -> None:
    """In the order of the statements, none left out."""
    found = families(private.proof.judged)

    assert [one for family in found for one in family.judged] == list(private.proof.judged)
    assert [one.title for one in found] == [
        "Reach",
        "Names",
        "Keys",
        "Roles",
        "Sign-in",
        "Keeping",
        "Seeing",
        "Whole",
    ]
    assert all(one.asks.endswith("?") for one in found)


def test_every_control_is_one_of_the_benchmark(private: Report) -> None:
    """A slip in a control's id would name none."""
    found = controls(private.proof.judged)

    assert {one.id for one in found} <= {*TITLES, ""}
    order = [list(TITLES).index(one.id) for one in found if one.id]
    assert order == sorted(order)
    known = ("MCSB ", "Azure Policy ", "checkov ")
    assert all(each.startswith(known) for one in STATEMENTS for each in one.controls)


def test_what_only_verify_shows_is_not_empty() -> None:
    """The list is part of every report."""
    assert len(set(ONLY_AFTER_DEPLOYMENT)) == len(ONLY_AFTER_DEPLOYMENT) > 3
