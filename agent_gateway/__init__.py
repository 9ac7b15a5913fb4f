"""Agents behind one door: who may call whom, on whose behalf, and with what they may call back."""
