"""Events read as plain dictionaries: what their models allow and nothing else, at two thirds of what the models cost.

The models of `types` describe events, and word what is wrong with one. A batch that is right needs neither: its reader
is made of the models' own schemas, field by field, with dictionaries where those have models, and it knows the spelling
of moments and days that needs no change. What it does not take is read once more by the models, which say why.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator, core_schema

from store.events.terms import SPELLINGS
from store.events.types import BATCH, ONE, Data, Event

Said = dict[str, Any]
"""What an event says: its attributes and, under `data`, what it carries, each named as in JSON, and None where it is
left out. Nobody changes it."""

_CONFIG: Final = ("strict", "extra_fields_behavior", "allow_inf_nan")
_RETRACTED: Final = itemgetter("retracted")


def read_batch(body: bytes | str) -> tuple[Said, ...]:
    """The events of a body in JSON, read strictly.

    Raises:
        pydantic.ValidationError: it says what it must not, or is no JSON; in the models' words.
    """
    try:
        found: tuple[Said, ...] = _BATCH.validate_json(body)
    except ValidationError:
        BATCH.validate_json(body)
        raise
    if any(map(_RETRACTED, found)):
        # Whether an event may be is a rule about the whole of it, which the models know.
        BATCH.validate_json(body)
    return found


def read_one(body: bytes | str) -> Said:
    """The event of a body that is no batch; raises what `read_batch` does."""
    ONE.validate_json(body)
    found: Said = _ONE.validate_json(body)
    return found


def writer(data: type[Data]) -> Any:
    """What writes data of this type as JSON, in the order of the model's fields and without those that are left out."""
    schema: Any = data.__pydantic_core_schema__
    model = schema["schema"] if schema["type"] == "function-after" else schema
    names = (field.get("validation_alias", name) for name, field in model["schema"]["fields"].items())
    fields = {name: core_schema.typed_dict_field(core_schema.any_schema(), required=False) for name in names}
    return SchemaSerializer(core_schema.typed_dict_schema(fields)).to_json


def _plain(schema: Any) -> CoreSchema:
    """A schema of models as one of dictionaries."""
    kind = schema["type"]
    if kind == "tuple":
        return cast(CoreSchema, schema | {"items_schema": [_plain(one) for one in schema["items_schema"]]})
    if kind == "tagged-union":
        return cast(CoreSchema, schema | {"choices": {tag: _plain(one) for tag, one in schema["choices"].items()}})
    if kind in ("nullable", "default"):
        return cast(CoreSchema, schema | {"schema": _plain(schema["schema"])})
    if kind == "function-after":
        # A rule about the whole of something: that of an event is asked by `read_batch`, those of data the models keep.
        model = schema["schema"]
        whole = issubclass(model["cls"], Event)
        return _plain(model) if whole else core_schema.no_info_after_validator_function(vars, schema)
    if kind == "model":
        fields = schema["schema"]["fields"].items()
        return core_schema.typed_dict_schema(
            {field.get("validation_alias", name): _field(field["schema"]) for name, field in fields},
            config=cast(core_schema.CoreConfig, {name: schema["config"][name] for name in _CONFIG}),
        )
    if kind == "function-plain" and (spellings := SPELLINGS.get(schema["function"]["function"])):
        return core_schema.union_schema([*(_spelled(*one) for one in spellings), schema], mode="left_to_right")
    return cast(CoreSchema, schema)


def _spelled(pattern: str, change: Callable[[str], str] | None) -> CoreSchema:
    text = core_schema.str_schema(pattern=pattern, strict=True)
    return text if change is None else core_schema.no_info_after_validator_function(change, text)


def _field(schema: Any) -> core_schema.TypedDictField:
    optional = schema["type"] == "default"
    if optional and isinstance(schema["default"], Data):
        schema = schema | {"default": vars(schema["default"])}
    return core_schema.typed_dict_field(_plain(schema), required=not optional)


_BATCH: Final = SchemaValidator(_plain(BATCH.core_schema))
_ONE: Final = SchemaValidator(_plain(ONE.core_schema))
