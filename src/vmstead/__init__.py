"""Vmstead: a virtual-machine host with the TrueNAS 25.10 VM API, on libvirt and QEMU."""

__version__ = "0.1.0"
