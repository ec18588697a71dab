"""The messages of Terraform's plugin protocol 6 that the stand-ins speak, and their methods.

The table gives the field numbers that the protocol fixes (`docs/plugin-protocol/tfplugin6.proto` of
Terraform, version 6.10), for the part in use; protobuf skips the rest. Classes are made from it
when the module loads, so no generated code is kept and no compiler is needed.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "tfplugin6"
SERVICE: Final = f"{PACKAGE}.Provider"

_SCALARS: Final = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    # Enumerations travel as integers; the constants below name the values.
    "enum": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
}

# One message a line: its name, then `number kind name`; `*` repeats, `%` maps from strings.
_TABLE: Final = """
DynamicValue: 1 bytes msgpack, 2 bytes json
RawState: 1 bytes json
PathStep: 1 string attribute_name, 2 string element_key_string, 3 int element_key_int
AttributePath: 1 *PathStep steps
Diagnostic: 1 enum severity, 2 string summary, 3 string detail, 4 AttributePath attribute
FunctionError: 1 string text, 2 int function_argument
ClientCapabilities: 1 bool deferral_allowed, 2 bool write_only_attributes_allowed
ServerCapabilities: 1 bool plan_destroy, 2 bool get_provider_schema_optional

Attribute: 1 string name, 2 bytes type, 10 Object nested_type, 4 bool required, 5 bool optional, \
6 bool computed, 7 bool sensitive, 9 bool deprecated, 11 bool write_only
Object: 1 *Attribute attributes, 3 enum nesting
NestedBlock: 1 string type_name, 2 Block block, 3 enum nesting, 4 int min_items, 5 int max_items
Block: 1 int version, 2 *Attribute attributes, 3 *NestedBlock block_types, 6 bool deprecated
Schema: 1 int version, 2 Block block
Parameter: 1 string name, 2 bytes type, 3 bool allow_null_value, 4 bool allow_unknown_values
Return: 1 bytes type
Function: 1 *Parameter parameters, 2 Parameter variadic_parameter, 3 Return return

GetProviderSchema.Request:
GetProviderSchema.Response: 1 Schema provider, 2 %Schema resource_schemas, \
3 %Schema data_source_schemas, 4 *Diagnostic diagnostics, 5 Schema provider_meta, \
6 ServerCapabilities server_capabilities, 7 %Function functions, \
8 %Schema ephemeral_resource_schemas
GetResourceIdentitySchemas.Request:
GetResourceIdentitySchemas.Response: 2 *Diagnostic diagnostics
GetFunctions.Request:
GetFunctions.Response: 1 %Function functions, 2 *Diagnostic diagnostics
CallFunction.Request: 1 string name, 2 *DynamicValue arguments
CallFunction.Response: 1 DynamicValue result, 2 FunctionError error
ValidateProviderConfig.Request: 1 DynamicValue config
ValidateProviderConfig.Response: 2 *Diagnostic diagnostics
ConfigureProvider.Request: 1 string terraform_version, 2 DynamicValue config
ConfigureProvider.Response: 1 *Diagnostic diagnostics
ValidateResourceConfig.Request: 1 string type_name, 2 DynamicValue config
ValidateResourceConfig.Response: 1 *Diagnostic diagnostics
ValidateDataResourceConfig.Request: 1 string type_name, 2 DynamicValue config
ValidateDataResourceConfig.Response: 1 *Diagnostic diagnostics
ValidateEphemeralResourceConfig.Request: 1 string type_name, 2 DynamicValue config
ValidateEphemeralResourceConfig.Response: 1 *Diagnostic diagnostics
UpgradeResourceState.Request: 1 string type_name, 2 int version, 3 RawState raw_state
UpgradeResourceState.Response: 1 DynamicValue upgraded_state, 2 *Diagnostic diagnostics
ReadResource.Request: 1 string type_name, 2 DynamicValue current_state, 3 bytes private
ReadResource.Response: 1 DynamicValue new_state, 2 *Diagnostic diagnostics, 3 bytes private
PlanResourceChange.Request: 1 string type_name, 2 DynamicValue prior_state, \
3 DynamicValue proposed_new_state, 4 DynamicValue config, 5 bytes prior_private
PlanResourceChange.Response: 1 DynamicValue planned_state, 2 *AttributePath requires_replace, \
3 bytes planned_private, 4 *Diagnostic diagnostics, 5 bool legacy_type_system
ApplyResourceChange.Request: 1 string type_name, 2 DynamicValue prior_state, \
3 DynamicValue planned_state, 4 DynamicValue config, 5 bytes planned_private
ApplyResourceChange.Response: 1 DynamicValue new_state, 2 bytes private, \
3 *Diagnostic diagnostics, 4 bool legacy_type_system
ImportResourceState.Request: 1 string type_name, 2 string id
ImportResourceState.Response: 2 *Diagnostic diagnostics
ReadDataSource.Request: 1 string type_name, 2 DynamicValue config
ReadDataSource.Response: 1 DynamicValue state, 2 *Diagnostic diagnostics
OpenEphemeralResource.Request: 1 string type_name, 2 DynamicValue config
OpenEphemeralResource.Response: 1 *Diagnostic diagnostics, 3 DynamicValue result
CloseEphemeralResource.Request: 1 string type_name
CloseEphemeralResource.Response: 1 *Diagnostic diagnostics
StopProvider.Request:
StopProvider.Response: 1 string Error
"""

NESTING: Final = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
"""How a block or nested object repeats, as the protocol numbers it."""

ERROR: Final = 1
"""The severity of what stops Terraform."""

UNKNOWN: Final = b"\x00"
"""What an unknown value holds on the wire; its msgpack extension type is 0."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="secure_openai/tfplugin6.proto", package=PACKAGE, syntax="proto3"
    )
    for line in filter(None, _TABLE.splitlines()):
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name.replace(".", ""))
        for entry in filter(None, map(str.strip, fields.split(","))):
            number, kind, field_name = entry.split()
            _field(message, int(number), kind, field_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{PACKAGE}.{message.name}")
        )
        for message in file.message_type
    }


def _field(message: Any, number: int, kind: str, name: str) -> None:
    label = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=number, label=label.LABEL_OPTIONAL)
    mark, kind = (kind[0], kind[1:]) if kind[0] in "*%" else ("", kind)
    if mark:
        field.label = label.LABEL_REPEATED
    if mark == "%":
        # A map is a repeated message of key and value on the wire (protobuf, "Maps").
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=1, type=_SCALARS["string"])
        entry.field.add(
            name="value",
            number=2,
            label=1,
            type=label.TYPE_MESSAGE,
            type_name=f".{PACKAGE}.{kind}",
        )
        field.type = label.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{message.name}.{entry_name}"
    elif kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = label.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    # A step's first alternative may be index 0, so its presence must be told apart.
    if message.name == "PathStep":
        if not message.oneof_decl:
            message.oneof_decl.add(name="selector")
        field.oneof_index = 0


MESSAGES: Final = _classes()
"""Message classes by name, without dots (`PlanResourceChangeRequest`)."""

METHODS: Final = tuple(
    name.removesuffix("Request") for name in MESSAGES if name.endswith("Request")
)
"""Every method that the stand-ins answer; the rest stays unimplemented."""


def diagnostic(summary: str, detail: str = "", path: tuple[str | int, ...] = ()) -> Any:
    """Return an error for Terraform to show at an attribute."""
    return MESSAGES["Diagnostic"](
        severity=ERROR, summary=summary, detail=detail, attribute=attribute_path(path)
    )


def attribute_path(path: tuple[str | int, ...]) -> Any:
    """Return a path of names and list positions as the protocol writes it."""
    step = MESSAGES["PathStep"]
    return MESSAGES["AttributePath"](
        steps=[
            step(element_key_int=part) if isinstance(part, int) else step(attribute_name=part)
            for part in path
        ]
    )
