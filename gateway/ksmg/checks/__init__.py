"""The checks: one file each, one class each. A check asks an engine about a message and returns its verdict.

Adding a check is adding a file here and naming its class in `catalogue`.
"""
