"""What the controller itself is called on a network, where it serves machines."""


def server_mac(network):
    """The MAC address that a network's DHCP server speaks from; ports' own start with fa:16:3e."""
    return f"fa:16:3f:00:{network.key >> 8 & 255:02x}:{network.key & 255:02x}"


# Where every machine reaches the services of its network, whatever its addresses are: metadata and names.
SERVICE_IP, SERVICE_IP6 = "169.254.169.254", "fe80::a9fe:a9fe"
SERVICE_MAC = "fa:16:3f:ff:a9:fe"


def has_services(world):
    """Whether anything is served there."""
    return world.settings["metadata"]["enabled"] or world.settings["dns"]["enabled"]
