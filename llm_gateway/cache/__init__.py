"""Answers kept and given again: to the same question, or to one that means the same. Never across tenants,
never to callers who may see something else, never past a change of policy.
"""
