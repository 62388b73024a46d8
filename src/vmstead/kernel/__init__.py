"""Generic building blocks that know nothing of virtual machines."""
