"""Which addresses of the network are public, whatever dress they come in.

An IPv6 address can carry an IPv4 one inside (mapped, compatible, 6to4, NAT64): that one is where
the packets end, so it is judged too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

CARRIERS = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""NAT64 (RFC 6052), its local use (RFC 8215), and IPv4-compatible addresses (RFC 4291, 2.5.5.1)."""


def is_public(address: str) -> bool:
    """Whether packets to the address leave for the public network; a scope (`%eth0`) is ignored."""
    found = ip_address(address.partition("%")[0])
    inner = _carried(found) if isinstance(found, IPv6Address) else None
    if inner is not None and not is_public(str(inner)):
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return True  # the same address in another dress
    return found.is_global and not (found.is_multicast or found.is_reserved)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
