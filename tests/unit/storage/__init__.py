"""Tests of what clients need of storage."""
