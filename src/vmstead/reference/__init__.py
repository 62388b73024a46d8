"""The API described from its code: as OpenRPC, as Markdown, and as a page.

The signature of a method is its contract, so it is also what the reference is made of: names, types, defaults,
roles and texts come from the functions and models themselves.
"""

from vmstead.reference.markdown import pages
from vmstead.reference.openrpc import describe
from vmstead.reference.page import html

__all__ = ["describe", "html", "pages"]
