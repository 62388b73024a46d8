"""What Vmstead's speed is, next to what somebody could use instead. ``python -m benchmarks`` runs all of it."""
