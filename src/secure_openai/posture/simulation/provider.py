"""One stand-in provider: what each method of the protocol answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from secure_openai.posture.simulation import azapi, lookups, marks, random_values
from secure_openai.posture.simulation.cloud import Cloud
from secure_openai.posture.simulation.contrast import otherwise
from secure_openai.posture.simulation.functions import FUNCTIONS, FunctionArgumentError
from secure_openai.posture.simulation.invention import Invention, seed_of
from secure_openai.posture.simulation.marks import Path
from secure_openai.posture.simulation.planning import plan, replacements
from secure_openai.posture.simulation.protocol import MESSAGES, attribute_path, diagnostic
from secure_openai.posture.simulation.schema import ProviderSchema, Type
from secure_openai.posture.simulation.validation import Problem, problems
from secure_openai.posture.simulation.values import (
    OWN_UNKNOWN,
    Value,
    decode,
    empty,
    encode,
    holds_unknown,
)
from secure_openai.posture.simulation.wire import provider_schema


class Provider:
    """A provider without a cloud: it plans as the real one and invents what Azure would answer."""

    def __init__(self, schema: ProviderSchema, cloud: Cloud) -> None:
        """Serve one provider's schema into a cloud.

        Args:
            schema: The provider's schema and facts.
            cloud: What is there; shared by all providers of a workspace.
        """
        self.schema = schema
        self.cloud = cloud

    # Methods carry the protocol's names in snake case; the server finds them by it.

    def get_provider_schema(self, _: Any) -> Any:
        """Return everything that the provider knows."""
        return provider_schema(self.schema.name)

    def get_resource_identity_schemas(self, _: Any) -> Any:
        """Return none: without them Terraform identifies by id alone."""
        return MESSAGES["GetResourceIdentitySchemasResponse"]()

    def get_functions(self, _: Any) -> Any:
        """Return the signatures of the provider's functions."""
        response = MESSAGES["GetFunctionsResponse"]()
        for name, function in provider_schema(self.schema.name).functions.items():
            response.functions[name].CopyFrom(function)
        return response

    def call_function(self, request: Any) -> Any:
        """Compute a function of the provider."""
        arguments = [decode(argument) for argument in request.arguments]
        try:
            result = FUNCTIONS[self.schema.name][request.name](*arguments)
        except FunctionArgumentError as error:
            return MESSAGES["CallFunctionResponse"](
                error=MESSAGES["FunctionError"](text=str(error))
            )
        return MESSAGES["CallFunctionResponse"](result=encode(result))

    def validate_provider_config(self, _: Any) -> Any:
        """Accept what core accepted: no credential is needed here."""
        return MESSAGES["ValidateProviderConfigResponse"]()

    def configure_provider(self, request: Any) -> Any:
        """Take over subscription, tenant and environment."""
        self.cloud.configure(decode(request.config) or {})
        return MESSAGES["ConfigureProviderResponse"]()

    def validate_resource_config(self, request: Any) -> Any:
        """Refuse what the provider refuses before it plans."""
        config = decode(request.config)
        kind = self.schema.type(request.type_name)
        return MESSAGES["ValidateResourceConfigResponse"](
            diagnostics=_shown(self._problems(kind, config))
        )

    def _problems(self, kind: Type, config: dict[str, Value]) -> Iterator[Problem]:
        yield from problems(kind.block, config)
        if self.schema.name == "azapi":
            for name, summary, detail in azapi.problems(kind.name, config):
                yield Problem(summary, detail, (name,))

    def validate_data_resource_config(self, _: Any) -> Any:
        """Accept what core accepted: the facts say nothing of data sources."""
        return MESSAGES["ValidateDataResourceConfigResponse"]()

    def validate_ephemeral_resource_config(self, _: Any) -> Any:
        """Accept what core accepted."""
        return MESSAGES["ValidateEphemeralResourceConfigResponse"]()

    def upgrade_resource_state(self, request: Any) -> Any:
        """Return stored state in the schema of today; a workspace never holds an older one."""
        kind = self.schema.type(request.type_name)
        self._remember(kind, json.loads(request.raw_state.json))
        return MESSAGES["UpgradeResourceStateResponse"](
            upgraded_state=MESSAGES["DynamicValue"](json=request.raw_state.json)
        )

    def _remember(self, kind: Type, state: dict[str, Value]) -> None:
        if isinstance(state.get("id"), str) and _collides(kind):
            self.cloud.keep(kind.name, state["id"])
        if kind.name == "azuread_application":
            self.cloud.register(state)

    def read_resource(self, request: Any) -> Any:
        """Return what was written: nothing changes behind Terraform's back here."""
        return MESSAGES["ReadResourceResponse"](
            new_state=request.current_state, private=request.private
        )

    def plan_resource_change(self, request: Any) -> Any:
        """Plan a change as the provider's own SDK would."""
        kind = self.schema.type(request.type_name)
        prior, proposed = decode(request.prior_state), decode(request.proposed_new_state)
        response = MESSAGES["PlanResourceChangeResponse"](
            planned_private=request.prior_private, legacy_type_system=True
        )
        if proposed is None:
            response.planned_state.CopyFrom(encode(None))
            return response
        planned = plan(kind.block, prior, proposed)
        if prior is not None:
            paths = list(replacements(kind.block, prior, planned))
            if self.schema.name == "azapi":
                paths += _azapi_replacements(prior, planned)
                if azapi.body_changed(prior, planned):
                    planned["output"] = OWN_UNKNOWN
            response.requires_replace.extend(map(attribute_path, paths))
        response.planned_state.CopyFrom(encode(planned))
        return response

    def apply_resource_change(self, request: Any) -> Any:
        """Make a change: keep what was planned, and invent what only Azure could say."""
        kind = self.schema.type(request.type_name)
        prior, planned = decode(request.prior_state), decode(request.planned_state)
        response = MESSAGES["ApplyResourceChangeResponse"](legacy_type_system=True)
        if planned is None:
            self.cloud.release(kind.name, str(prior.get("id")))
            response.new_state.CopyFrom(encode(None))
            return response
        created = prior is None
        config = decode(request.config) or {}
        invention = Invention(self.cloud, kind, self._seed(kind, config, created=created))
        if not created:
            invention.marks += marks.read(request.planned_private)
        invention.complete(planned, self._derived(kind, planned, invention.seed))
        if created and _collides(kind) and not self.cloud.take(kind.name, planned["id"]):
            response.diagnostics.append(_exists(kind.name, planned["id"]))
            response.new_state.CopyFrom(encode(None))
            return response
        self._remember(kind, planned)
        response.new_state.CopyFrom(encode(planned))
        response.private = marks.written(invention.marks)
        return response

    def _seed(self, kind: Type, config: dict[str, Value], *, created: bool) -> str:
        seed = seed_of(kind.block, kind.name, config)
        if created and not _collides(kind):
            # Entra and random allow twins; each is given its own ids.
            number = self.cloud.count(seed)
            return f"{seed}#{number}" if number else seed
        return seed

    def _derived(self, kind: Type, state: dict[str, Value], seed: str) -> dict[str, Value]:
        """Return the computed values that follow from what is already known."""
        if self.schema.name == "azapi":
            return azapi.overrides(self.cloud, kind.name, state)
        if self.schema.name == "random":
            return random_values.draw(kind.name, state, seed)
        if kind.name == "azuread_application":
            return _published(state)
        if kind.name == "azuread_service_principal":
            known = self.cloud.application(state.get("client_id"))
            names = ("app_role_ids", "display_name", "oauth2_permission_scope_ids")
            return {name: known[name] for name in names if known.get(name)}
        return {}

    def import_resource_state(self, request: Any) -> Any:
        """Refuse: there is nothing to import from."""
        return MESSAGES["ImportResourceStateResponse"](
            diagnostics=[
                diagnostic(
                    "Nothing can be imported into a simulation",
                    f'"{request.id}" would be read from Azure. Leave `import` blocks out of what '
                    "is simulated.",
                )
            ]
        )

    def read_data_source(self, request: Any) -> Any:
        """Answer with stand-ins: all of it is invented."""
        kind = self.schema.type(request.type_name, "data_source")
        config = decode(request.config)
        state = self._answered(kind, config, lookups.answer)
        if self.cloud.otherwise is not None:
            otherwise(kind.block, config, state, yes=self.cloud.otherwise)
        return MESSAGES["ReadDataSourceResponse"](state=encode(state))

    def open_ephemeral_resource(self, request: Any) -> Any:
        """Answer with stand-ins, which Terraform forgets again."""
        kind = self.schema.type(request.type_name, "ephemeral_resource")
        state = self._answered(kind, decode(request.config), self._drawn)
        return MESSAGES["OpenEphemeralResourceResponse"](result=encode(state))

    @staticmethod
    def _drawn(_: Cloud, kind: str, config: dict[str, Value]) -> dict[str, Value]:
        if kind.startswith("random_"):
            return random_values.draw(kind, config, kind)
        return {"value": f"{marks.SECRET_PREFIX}{kind}-{config.get('name')}"}

    def _answered(self, kind: Type, config: dict[str, Value], answer: Any) -> dict[str, Value]:
        state = plan(kind.block, None, {**empty(kind.block), **config})
        seed = seed_of(kind.block, f"data.{kind.name}", config)
        Invention(self.cloud, kind, seed).complete(state, answer(self.cloud, kind.name, config))
        return state

    def close_ephemeral_resource(self, _: Any) -> Any:
        """Forget it: nothing was kept."""
        return MESSAGES["CloseEphemeralResourceResponse"]()

    def stop_provider(self, _: Any) -> Any:
        """Agree to stop: nothing here takes long."""
        return MESSAGES["StopProviderResponse"]()


def _shown(found: Iterable[Problem]) -> list[Any]:
    return [diagnostic(problem.summary, problem.detail, problem.path) for problem in found]


def _azapi_replacements(prior: dict[str, Value], planned: dict[str, Value]) -> list[Path]:
    paths: list[Path] = []
    if azapi.type_changed(prior, planned):
        paths.append(("type",))
    if not holds_unknown(planned.get("replace_triggers_external_values")) and azapi.triggered(
        prior, planned
    ):
        paths.append(("replace_triggers_external_values",))
    return paths


def _collides(kind: Type) -> bool:
    """Return whether two resources of this type cannot share an id."""
    return kind.name.startswith("azurerm_") or kind.name == "azapi_resource"


def _exists(kind: str, identifier: str) -> Any:
    return diagnostic(
        f'a resource with the ID "{identifier}" already exists - to be managed via Terraform this '
        "resource needs to be imported into the State. Please see the resource documentation for "
        f'"{kind}" for more information.'
    )


def _published(state: dict[str, Value]) -> dict[str, Value]:
    """Return an application's maps from the value of each role and scope to its id."""
    roles = {role["value"]: role["id"] for role in state.get("app_role") or () if role.get("value")}
    scopes = {
        scope["value"]: scope["id"]
        for api in state.get("api") or ()
        for scope in api.get("oauth2_permission_scope") or ()
        if scope.get("value")
    }
    return {"app_role_ids": roles, "oauth2_permission_scope_ids": scopes}
