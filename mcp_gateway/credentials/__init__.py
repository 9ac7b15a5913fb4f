"""What a server is shown: one file a kind of credential behind one Protocol, what opens them by their
configuration, and what they need of authorization servers. Never anything of the caller's.
"""
