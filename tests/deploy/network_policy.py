"""The traffic that a NetworkPolicy allows, for the features used here: addresses, namespaces by name, ports."""

import ipaddress

# Services that provide credentials: the metadata service of instances, ECS, EKS Pod Identity, OpenStack.
CREDENTIALS = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fe80::a9fe:a9fe",
]

# Addresses that are reserved for documentation, in place of any other address.
OUTSIDE = ["203.0.113.1", "2001:db8::1"]


def ports_to(policy, address):
    """The ports on which this address can be reached; None among them means all."""
    return [port for rule in policy["spec"]["egress"] if reaches(rule, address) for port in ports(rule)]


def names(policy):
    """The namespaces and addresses to which DNS queries are allowed, by UDP and TCP."""
    wanted = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    peers = [peer for rule in policy["spec"]["egress"] if rule.get("ports") == wanted for peer in rule["to"]]
    return {namespace(peer) or peer["ipBlock"]["cidr"] for peer in peers}


def namespace(peer):
    return peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")


def reaches(rule, address):
    if "to" not in rule:
        return True
    return any(within(peer["ipBlock"], ipaddress.ip_address(address)) for peer in rule["to"] if "ipBlock" in peer)


def within(block, address):
    excluded = [ipaddress.ip_network(network) for network in block.get("except", [])]
    return address in ipaddress.ip_network(block["cidr"]) and not any(address in network for network in excluded)


def ports(rule):
    return [port["port"] for port in rule.get("ports", [])] or [None]


def namespaces_to(policy, port):
    """From which namespaces this port can be reached: a list of names, None standing for everywhere."""
    found = []
    for rule in policy["spec"]["ingress"]:
        if port in ports(rule) or None in ports(rule):
            peers = rule.get("from") or [{}]
            found += [namespace(peer) for peer in peers]
    return found
