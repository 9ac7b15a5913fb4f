"""Limits and chain budgets: what a call may use is reserved before it, what it did use is booked after it."""
