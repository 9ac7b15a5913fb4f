"""Which of several addresses gets the next request, and which are left alone for now. State per process;
nothing here speaks of callers' rights.
"""
