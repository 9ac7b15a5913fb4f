"""Streams on which clients hear what they did not ask for: that lists and resources have changed, and what
servers ask outside of calls.
"""
