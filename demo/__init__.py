"""A whole stack on one machine with a real model, real tools and two real agents. Not part of the
product: it uses it.
"""
