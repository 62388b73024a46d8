"""A wheel without the web page is no wheel: building one says so."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):
    """Looks for the page, which ``bin/setup`` builds. An installation for development does without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Refuse to build a wheel that has no page."""
        page = Path(self.root) / "src/vmstead/web/static/index.html"
        if version != "editable" and not page.exists():
            raise FileNotFoundError(f"{page} is missing: run bin/setup, which builds the web page, first")
