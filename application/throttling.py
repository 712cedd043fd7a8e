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
    """Return the network that an address is in, which is what is throttled: a /24 of IPv4, a /64 of IPv6.

    A household or a server has a whole /64 to choose from. All that come without an address share one place.
    """
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    prefix = 24 if address.version == 4 else 64  # noqa: PLR2004 - Internet Protocol, version 4
    return str(ipaddress.ip_network((address.packed, prefix), strict=False))


LOGIN_BY_ADDRESS = ThrottleRule("login:address", burst=30, interval=timedelta(seconds=2))
"""Per /24 of IPv4 and /64 of IPv6."""
LOGIN_BY_ACCOUNT = ThrottleRule("login:account", burst=10, interval=timedelta(minutes=1))
"""Per canonical address, for tries from places the account has not signed in from before."""
LOGIN_BY_KNOWN_PLACE = ThrottleRule("login:place", burst=10, interval=timedelta(minutes=1))
"""Per canonical address and place, for places the account has signed in from: strangers can't use it up."""
LOGIN_THROTTLED_NOTED = ThrottleRule("login:noted", burst=1, interval=timedelta(minutes=15))
"""Per rule and subject: how often it is written down that tries were refused. An attack must not fill the audit."""
CODE_BY_ACCOUNT = ThrottleRule("code:account", burst=10, interval=timedelta(minutes=1))
MAIL_BY_ACCOUNT = ThrottleRule("mail:account", burst=3, interval=timedelta(minutes=20))
MAIL_BY_ADDRESS = ThrottleRule("mail:address", burst=20, interval=timedelta(minutes=3))
SIGNUP_BY_ADDRESS = ThrottleRule("signup:address", burst=60, interval=timedelta(seconds=30))
"""A class or an office that signs up together has one address."""
REFRESH_BY_SESSION = ThrottleRule("refresh:session", burst=60, interval=timedelta(seconds=2))
"""Many tabs that wake up together ask together; each gets the same successor."""
PASSWORD_BY_ACCOUNT = ThrottleRule("password:account", burst=10, interval=timedelta(minutes=1))
"""Per account, for the password that is asked for again: who has only a session must not guess it."""
