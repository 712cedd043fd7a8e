"""The difference between "leave it" and "clear it" in a partial change (RFC 7396)."""

from enum import Enum
from typing import Final, Literal


class _Unset(Enum):
    UNSET = "unset"


type Unset = Literal[_Unset.UNSET]

UNSET: Final = _Unset.UNSET
"""Leave it as it is."""
