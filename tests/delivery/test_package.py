"""Packages: reproducible, complete, listed, and started from an empty folder with no help."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from secure_openai.cli.main import app as commands
from secure_openai.delivery.lock import FRAMEWORK, needed_by, read_lock
from secure_openai.delivery.target import PYTHON
from secure_openai.errors import DeliveryError
from secure_openai.jobs.catalogue import JOBS
from tests.delivery.conftest import HERE, Made
from tests.pipeline import DELIVER, clone, run, step
from tests.system import free_ports, wait_ready

ROOT = Path(__file__).parents[2]
DEVELOPMENT = {"build", "hatchling", "editables", "mypy", "pytest", "ruff", "pip", "zizmor"}
LAPTOP = {
    "SECURE_OPENAI_TENANT_ID": "tenant",
    "SECURE_OPENAI_CLIENT_ID": "client",
    "SECURE_OPENAI_MODEL_SOURCE": "scripted",
}


@contextmanager
def serving(folder: Path, tmp_path: Path) -> Iterator[str]:
    """Start what was unpacked as Azure starts it, without anything of this machine around."""
    port = free_ports()
    url = f"http://localhost:{port}"
    process = subprocess.Popen(
        # No site-packages, no user's site, nothing of the environment: the folder alone.
        [sys.executable, "-S", "-s", "-E", "-m", "secure_openai.cli", "serve"],
        cwd=folder,
        env=LAPTOP
        | {
            "SECURE_OPENAI_PUBLIC_URL": url,
            "SECURE_OPENAI_LISTEN_PORT": str(port),
            "SECURE_OPENAI_AUTHORITY": f"http://localhost:{port + 1}/tenant/v2.0",
            "SECURE_OPENAI_DATA": str(tmp_path / "data"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=60)


def status(url: str, accept: str = "application/json") -> int:
    """Return what an address answers without a credential."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.process
def test_unpacked_in_an_empty_folder_it_starts_and_demands_sign_in(
    made: Made, tmp_path: Path
) -> None:
    """With an empty environment and the folder alone: healthy, ready, and closed."""
    folder = tmp_path / "wwwroot"
    with ZipFile(made.app.path) as archive:
        archive.extractall(folder)
    with serving(folder, tmp_path) as url:
        assert status(f"{url}/healthz") == 200
        assert status(f"{url}/readyz") == 200
        assert status(f"{url}/api/conversations") == 401
        assert status(f"{url}/openai/v1/models") == 401


@pytest.mark.process
def test_the_function_app_is_found_where_its_worker_looks(made: Made, tmp_path: Path) -> None:
    """With Functions' own layout on the path and nothing else, every timer is declared."""
    with ZipFile(made.functions.path) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys; sys.path[:0] = ['.python_packages/lib/site-packages', '.']; "
        "import function_app; "
        "print(*sorted(f.get_function_name() for f in function_app.app.get_functions()))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-E", "-c", program],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(JOBS)
    assert (tmp_path / "host.json").is_file()


@pytest.mark.process
async def test_two_builds_have_one_hash(made: Made, tmp_path: Path) -> None:
    """As the pipeline's steps make one again: another time zone, folder and seed change no byte.

    What they tell of it is what the next job compares, and goes on with.
    """
    home, output = clone(tmp_path / "else where"), tmp_path / "output"
    (tmp_path / "wheels").symlink_to(made.wheels)
    packing = step(DELIVER, "deliver", "Package the application again")["run"]
    told = {"GITHUB_OUTPUT": str(output), "RUNNER_TEMP": str(tmp_path)}
    # This machine's Python is not the estate's, whose wheels are other ones.
    packed = await run(
        f"{packing} --python {HERE}", home, TZ="Pacific/Auckland", PYTHONHASHSEED="7", **told
    )
    assert packed.code == 0, packed.said
    for one in (made.functions.path, made.functions.path.with_suffix(".sha256")):
        (home / "dist" / one.name).symlink_to(one)
    await run(step(DELIVER, "package", "Tell the digests")["run"], home, **told)
    _, *digests, _ = output.read_text().splitlines()
    refusing = step(DELIVER, "deliver", "Refuse other packages than were made before")
    same = await run(
        refusing["run"], home / refusing["working-directory"], DIGESTS="\n".join(digests)
    )

    again = home / "dist" / "app.zip"
    assert hashlib.sha256(again.read_bytes()).hexdigest() == made.app.sha256
    assert again.with_suffix(".cdx.json").read_bytes() == made.app.bill.read_bytes()
    assert same.code == 0, same.said
    assert len(digests) == 2


def test_the_digest_beside_it_is_the_packages(made: Made) -> None:
    """`sha256sum -c` holds."""
    (line,) = (made.app.path.parent / "app.sha256").read_text().splitlines()

    assert line == f"{hashlib.sha256(made.app.path.read_bytes()).hexdigest()}  app.zip"
    assert line.startswith(made.app.sha256)


def test_nothing_of_development_is_in_it(made: Made) -> None:
    """No compiled file, no test of ours, no tool, no script, and one time for all."""
    with ZipFile(made.app.path) as archive:
        infos = archive.infolist()
    names = [one.filename for one in infos]

    assert names == sorted(set(names))
    assert {one.date_time for one in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert [one for one in names if one.endswith((".pyc", "direct_url.json"))] == []
    assert [one for one in names if one.startswith(("tests/", "bin/", "../", "/"))] == []
    carried = {one["name"] for one in made.bill["components"]}
    assert carried & DEVELOPMENT == set()
    assert FRAMEWORK in carried


def test_what_is_carried_is_what_runs_and_what_is_locked(made: Made) -> None:
    """Each distribution's metadata is in the zip, and each is a row of the lock at its version."""
    locked = {one.name: one for one in read_lock(ROOT / "requirements" / "azure.txt")}
    with ZipFile(made.app.path) as archive:
        infos = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    carried = made.bill["components"]

    assert len(infos) == len(carried) == made.app.parts
    for part in carried:
        if part["name"] != FRAMEWORK:
            (digest,) = part["hashes"]
            assert f"sha256:{digest['content']}" in {
                one
                for row in read_lock(ROOT / "requirements" / "azure.txt")
                if row.name == part["name"] and row.version == part["version"]
                for one in row.hashes
            }
            assert part["name"] in locked


def test_the_bill_keeps_the_rules_of_cyclonedx(made: Made) -> None:
    """The members that 1.6 requires, references that lead somewhere, licences and addresses."""
    bill = made.bill
    refs = [bill["metadata"]["component"]["bom-ref"], *(c["bom-ref"] for c in bill["components"])]

    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    assert len(refs) == len(set(refs))
    assert sorted(one["ref"] for one in bill["dependencies"]) == sorted(refs)
    for one in bill["dependencies"]:
        assert set(one["dependsOn"]) <= set(refs)
        assert len(one["dependsOn"]) == len(set(one["dependsOn"]))
    for part in bill["components"]:
        assert part["type"] == "library"
        assert part["purl"].startswith(f"pkg:pypi/{part['name']}@")
        assert re.fullmatch(r"[0-9a-f]{64}", part["hashes"][0]["content"])
        assert part["hashes"][0]["alg"] == "SHA-256"
        # An expression stands alone, or each licence has one name or one SPDX id.
        for licence in part["licenses"]:
            assert licence.keys() in ({"expression"}, {"license"})
        assert [one for one in part["licenses"] if "not said" in str(one)] == []


def test_everything_carried_is_reached_from_the_package(made: Made) -> None:
    """No distribution is there that nothing needs."""
    needs = {one["ref"]: one["dependsOn"] for one in made.bill["dependencies"]}
    reached: set[str] = set()
    ahead = [made.bill["metadata"]["component"]["bom-ref"]]
    while ahead:
        one = ahead.pop()
        if one not in reached:
            reached.add(one)
            ahead += needs[one]

    assert reached == set(needs)
    assert len(needs[made.bill["metadata"]["component"]["bom-ref"]]) == 1


def test_the_default_is_what_the_estate_runs_on() -> None:
    """Terraform's `python_version` and the package's are one."""
    text = (ROOT / "infra" / "modules" / "app" / "variables.tf").read_text()
    (said,) = re.findall(r'variable "python_version" \{.*?default +=\s+"([\d.]+)"', text, re.DOTALL)

    assert said == PYTHON


def test_the_lock_is_read_as_its_compiler_wrote_it() -> None:
    """What the package needs is a closure: tools that build it are outside, every root inside."""
    rows = read_lock(ROOT / "requirements" / "azure.txt")
    needed = {one.name for one in needed_by([FRAMEWORK], rows)}

    assert {"fastapi", "azure-identity", "azure-functions", "typing-extensions"} <= needed
    assert {one.name for one in rows} - needed >= {"hatchling", "editables"}
    declared = ast.literal_eval(
        re.findall(
            r"\ndependencies = (\[.*?\n\])", (ROOT / "pyproject.toml").read_text(), re.DOTALL
        )[0]
    )
    assert {re.split(r"[>=;]", one)[0] for one in declared} <= needed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["app", "--python", "3.10"], "write --python 3.13"),
        (["app", "--python", "three"], "write --python 3.13"),
        (["app", "--platform", "win_amd64"], "write --platform linux_x86_64 or linux_aarch64"),
    ],
)
def test_what_cannot_be_packaged_for_is_refused(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    """One sentence, exit code 2, and nothing is left."""
    done = CliRunner().invoke(commands, ["package", *arguments, "--output", str(tmp_path / "out")])

    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_row_without_a_hash_is_refused(tmp_path: Path) -> None:
    """What is not locked is named."""
    (tmp_path / "lock.txt").write_text("fastapi==1.0\n")

    with pytest.raises(DeliveryError, match=r"does not lock fastapi==1\.0 by hash"):
        read_lock(tmp_path / "lock.txt")
