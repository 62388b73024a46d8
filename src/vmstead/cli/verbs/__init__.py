"""The API's verbs for people: ``vmstead vm``, ``job``, ``image`` and ``volume``.

They speak to a server like any other client, with the client package alone. Each verb is one function; ``here``
gives it a client that is logged in, finds what is named, and says how it went.
"""
