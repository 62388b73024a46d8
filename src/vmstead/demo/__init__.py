"""A small Linux guest, built from the distribution's packages, to look at and to test with."""
