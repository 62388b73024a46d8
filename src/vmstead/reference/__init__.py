"""The API described from its code: as OpenRPC, as Markdown, and as a page.

The signature of a method is its contract, so it is also what the reference is made of: names, types, defaults,
roles and texts come from the functions and models themselves.
"""

from vmstead.reference.collections import Collection, collections
from vmstead.reference.markdown import pages
from vmstead.reference.meta import event_meta, meta
from vmstead.reference.openrpc import describe
from vmstead.reference.page import html

__all__ = ["Collection", "collections", "describe", "event_meta", "html", "meta", "pages"]
