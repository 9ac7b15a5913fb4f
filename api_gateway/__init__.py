"""The edge: credentials, limits, routing to everything behind it, and the control plane that the other
services obey.
"""
