"""The ports' implementations: libvirt, the file system, the Linux host, and the ones that only remember."""
