"""Whether a tool is still what it was when it was trusted, and whether its description speaks to somebody who
cannot see all of it.
"""
