"""The checks: one file each, one class each. A check asks an engine about a message and returns its verdict.

Adding a check is adding a file here with a subclass of `verdict.Check`: the catalogue finds it, and with it rules,
events and status know it.
"""
