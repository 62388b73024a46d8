"""ZFS without ZFS: its programs, answered as OpenZFS 2.1 answers them, on folders and files.

For tests, and for authors of clients on machines without it.
"""

from vmstead.adapters.fake_zfs.machine import FakeZfs

__all__ = ["FakeZfs"]
