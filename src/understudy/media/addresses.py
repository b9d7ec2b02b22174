"""Which addresses of the internet are public: what a stranger's URL may lead to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address

# IANA's special-purpose registries (RFC 6890 and its updates), and Azure's platform address, which looks public.
_DENIED_4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud platform",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_DENIED_6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "64:ff9b:1::/48": "local NAT64",
    "2001::/32": "Teredo",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_DENIED = [(ip_network(network), why) for network, why in (_DENIED_4 | _DENIED_6).items()]
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")  # what DNS64 answers for an IPv4-only name


def classify(address: Address) -> str | None:
    """Why an address may not be reached, or None for global unicast.

    An address that carries an IPv4 address is that one where it is mapped (``::ffff:0:0/96``) or translated
    (``64:ff9b::/96``); 6to4, Teredo and local NAT64 are denied whatever they carry.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return classify(address.ipv4_mapped)
        if address in _NAT64:
            return classify(IPv4Address(int(address) & 0xFFFFFFFF))
    for network, why in _DENIED:
        if address in network:
            return why
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or address.scope_id):
        return "reserved"
    return None
