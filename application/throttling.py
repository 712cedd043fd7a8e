"""How often what may be tried. The generic cell rate algorithm (GCRA): a burst at once, then one each interval."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ThrottleRule:
    """`burst` tries at once; after that one more for each `interval` that has passed."""

    name: str
    burst: int
    interval: timedelta


def place_of(ip: str | None) -> str:
    """Return the network that an address is in: the /24 of IPv4, the /64 of IPv6. What is no address is one place."""
    try:
        address = ipaddress.ip_address((ip or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))  # noqa: PLR2004


LOGIN_BY_ADDRESS = ThrottleRule("login:address", burst=30, interval=timedelta(seconds=2))
"""Per /24 of IPv4 and /64 of IPv6."""
LOGIN_BY_ACCOUNT = ThrottleRule("login:account", burst=10, interval=timedelta(minutes=1))
"""Per canonical address, for tries from places the account has not signed in from before."""
LOGIN_BY_KNOWN_PLACE = ThrottleRule("login:place", burst=10, interval=timedelta(minutes=1))
"""Per canonical address and place, for places the account has signed in from: strangers can't use it up."""
CODE_BY_ACCOUNT = ThrottleRule("code:account", burst=10, interval=timedelta(minutes=1))
MAIL_BY_ACCOUNT = ThrottleRule("mail:account", burst=3, interval=timedelta(minutes=20))
MAIL_BY_ADDRESS = ThrottleRule("mail:address", burst=20, interval=timedelta(minutes=3))
SIGNUP_BY_ADDRESS = ThrottleRule("signup:address", burst=20, interval=timedelta(minutes=1))
REFRESH_BY_SESSION = ThrottleRule("refresh:session", burst=30, interval=timedelta(seconds=2))
PASSWORD_BY_ACCOUNT = ThrottleRule("password:account", burst=10, interval=timedelta(minutes=1))
"""Per account, for the password that is asked for again: who has only a session must not guess it."""
