"""The engine port on libvirt. Nothing outside this package imports the binding."""

from vmstead.adapters.libvirt_engine.engine import LibvirtEngine
from vmstead.adapters.libvirt_engine.target import Target

__all__ = ["LibvirtEngine", "Target"]
