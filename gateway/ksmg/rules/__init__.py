"""Rules: what is done with a message, given the verdicts of the checks."""
