"""Prepared videos: what a trainer reads, and how it is made."""
