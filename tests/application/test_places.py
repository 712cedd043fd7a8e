"""`place_of`: which network an address is in."""

import pytest

from application.throttling import place_of


@pytest.mark.parametrize(
    ("ip", "place"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("203.0.113.255", "203.0.113.0/24"),
        ("203.0.114.0", "203.0.114.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("::FFFF:CB00:7109", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:0002::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix socket", "unknown"),
        ("203.0.113.09", "unknown"),
    ],
)
def test_an_address_is_in_the_network_that_one_party_can_choose_from(ip: str | None, place: str) -> None:
    assert place_of(ip) == place
