"""The commands ``vmstead`` and ``midclt``."""
