"""What clients of virtual machines need of pools, datasets, snapshots and files."""
