"""Recordings of public relatives, made with their own code, and whether ours does the same.

recorded_case    one recording, converted, loaded, run and compared
"""
