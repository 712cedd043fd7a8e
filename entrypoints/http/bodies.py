"""Parts that request bodies share."""

from typing import overload

import msgspec

from application.unset import UNSET, Unset


@overload
def unset_if_absent(value: msgspec.UnsetType) -> Unset: ...
@overload
def unset_if_absent[Value](value: Value | msgspec.UnsetType) -> Value | Unset: ...
def unset_if_absent[Value](value: Value | msgspec.UnsetType) -> Value | Unset:
    """Return a merge patch's value as use cases take it: what the patch leaves out is left as it is (RFC 7396)."""
    return UNSET if value is msgspec.UNSET else value
