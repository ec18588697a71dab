"""The Function App as its host loads it: triggers and bindings, and every function called."""

from __future__ import annotations

import importlib.util
import json
import logging
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequestConverter

from secure_openai.environment import PREFIX
from secure_openai.errors import SettingsError, StoreError
from secure_openai.jobs.catalogue import JOBS
from secure_openai.jobs.resident import JobFailed, Resident
from secure_openai.tables import table

FOLDER = Path(__file__).parents[2] / "functions"
TICK = '{"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}'
"""What the host hands to a timer's function."""


def loaded() -> ModuleType:
    """Return the module as the host's worker imports it."""
    spec = importlib.util.spec_from_file_location("function_app", FOLDER / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ModuleType]:
    """Return the module, with the settings of a laptop in its environment."""
    for name, value in {
        "PUBLIC_URL": "http://localhost:1",
        "AUTHORITY": "http://localhost:1/tenant/v2.0",
        "TENANT_ID": "tenant",
        "CLIENT_ID": "client",
        "DATA": str(tmp_path / "data"),
        "MODEL_SOURCE": "scripted",
    }.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    module = loaded()
    yield module
    await module.resident.aclose()


def functions_of(module: ModuleType) -> list[func.decorators.function_app.Function]:
    """Return the functions as the worker indexes them."""
    assert isinstance(module.app, func.FunctionApp)
    found: list[func.decorators.function_app.Function] = module.app.get_functions()
    return found


def test_triggers_are_the_tables(module: ModuleType) -> None:
    """Every job of the table has one timer by its schedule, and there is no other binding."""
    functions = functions_of(module)
    declared = {
        function.get_function_name(): [one.get_dict_repr() for one in function.get_bindings()]
        for function in functions
    }

    assert declared == {
        name: [
            {
                "direction": func.decorators.core.BindingDirection.IN,
                "type": "timerTrigger",
                "name": "timer",
                "schedule": row["schedule"],
                "runOnStartup": False,
                "useMonitor": True,
            }
        ]
        for name, row in table("jobs").items()
    }
    assert {function.is_http_function() for function in functions} == {False}


@pytest.mark.parametrize("name", list(JOBS))
async def test_every_function_runs(module: ModuleType, name: str, tmp_path: Path) -> None:
    """Called as the host calls it, twice, each function does its job on real stores."""
    (function,) = [one for one in functions_of(module) if one.get_function_name() == name]
    timer = TimerRequestConverter.decode(func.meta.Datum(TICK, "json"), trigger_metadata={})
    for _ in range(2):
        assert await function.get_user_function()(timer=timer) is None

    assert (tmp_path / "data" / "secure-openai.db").exists()
    sealed = [path.name for path in (tmp_path / "data").glob("seals/*.jws")]
    assert sealed == (["00000001.jws"] if name == "seal" else [])


async def test_settings_that_are_missing(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its settings a function fails and says which; with them the next call works."""
    with monkeypatch.context() as patched:
        patched.delenv(f"{PREFIX}TENANT_ID")
        with pytest.raises(SettingsError, match="TENANT_ID"):
            await module.resident.run("seal")

    assert (await module.resident.run("seal"))["seal"] == 1


@pytest.mark.parametrize("failure", [LookupError, StoreError])
async def test_what_a_host_is_told(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: type[Exception],
) -> None:
    """A host writes down a failure and all behind it: what a library quoted is in none of it."""
    quoted = "PLANTED-MARKER-2b7d"

    async def failing(*arguments: object, **options: object) -> None:
        try:
            int(quoted)
        except ValueError as error:
            raise (failure() if failure is StoreError else failure(quoted)) from error

    await module.resident.run("roll_up")
    monkeypatch.setattr(module.resident._assembly.usage, "roll_up", failing)
    (function,) = [one for one in functions_of(module) if one.get_function_name() == "roll_up"]
    timer = TimerRequestConverter.decode(func.meta.Datum(TICK, "json"), trigger_metadata={})
    with pytest.raises(JobFailed) as caught, caplog.at_level(logging.DEBUG):
        await function.get_user_function()(timer=timer)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text

    assert quoted not in told
    assert "the job roll_up did not end well" in told
    assert f"{failure.__name__} from builtins.ValueError" in caplog.text
    assert "test_function_app.py" in caplog.text


async def test_one_assembly_for_all(module: ModuleType) -> None:
    """Jobs of one process share one assembly: each would begin a chain of the audit otherwise."""
    resident = module.resident
    assert isinstance(resident, Resident)
    await resident.run("seal")
    first = resident._assembly
    await resident.run("retention")

    assert resident._assembly is first
    await resident.aclose()
    await resident.run("seal")
    assert resident._assembly is not first


def test_host_fetches_nothing() -> None:
    """The host needs no extension bundle, which it would fetch from outside the network."""
    host = json.loads((FOLDER / "host.json").read_text())

    assert host["version"] == "2.0"
    assert "extensionBundle" not in host
    assert "http" not in json.dumps(host)
