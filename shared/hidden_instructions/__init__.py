"""Whether a text that models read speaks to them behind their users' backs: descriptions of tools and of
servers, skills.
"""
