"""Every model endpoint that is not chat: one file a kind (`registry.py` lists them), one pipeline for all of
them.
"""
