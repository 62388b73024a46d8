"""The volumes and pools ports on OpenZFS, by its programs ``zfs`` and ``zpool`` (2.1 and later).

A pool of the API is a dataset of ZFS, often that of a whole ZFS pool; its volumes are the zvols in it::

    [pools.fast]  zfs = "nvme/vms"

    /dev/zvol/fast/web/disk0       nvme/vms/web/disk0, opened as /dev/zvol/nvme/vms/web/disk0
    /mnt/fast/isos/debian.iso      debian.iso wherever nvme/vms/isos is mounted

Nothing is remembered of ZFS: whatever is asked is read from it, so a pool is there when it is imported.
"""
