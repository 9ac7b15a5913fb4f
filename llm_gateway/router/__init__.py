"""Which deployment answers: strategies, tasks, canaries, mirrors, what may be tried again and where, and
what is known of each deployment's health. The stages are `route.py` (before) and `forward.py` (the loop).
"""
