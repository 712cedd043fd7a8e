"""Parts that request bodies share."""

from typing import overload

import msgspec

from application.unset import UNSET, Unset


def documented_as(body: type[msgspec.Struct]) -> msgspec.Meta:
    """Return what documents a part that is decoded later, and not together with the body that it is in."""
    return msgspec.Meta(extra_json_schema={"$ref": f"#/components/schemas/{body.__name__}"})


@overload
def unset_if_absent(value: msgspec.UnsetType) -> Unset: ...
@overload
def unset_if_absent[Value](value: Value | msgspec.UnsetType) -> Value | Unset: ...
def unset_if_absent[Value](value: Value | msgspec.UnsetType) -> Value | Unset:
    """Return a merge patch's value as use cases take it: what the patch leaves out is left as it is (RFC 7396)."""
    return UNSET if value is msgspec.UNSET else value
