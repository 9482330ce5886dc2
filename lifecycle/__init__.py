"""Assent: which words bind whom, how they came to bind, what was sent, and when it ends."""

__version__ = "0.1.0"
