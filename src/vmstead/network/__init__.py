"""The host's networks for guests: NAT networks, and bridges over the host's cards that are on trial first."""
