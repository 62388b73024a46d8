"""The wire: JSON-RPC 2.0 as TrueNAS speaks it, without any transport and without knowledge of VMs."""
