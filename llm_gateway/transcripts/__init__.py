"""Prompts and replies, kept where an operator has opted a group of callers in; by default of nobody."""
