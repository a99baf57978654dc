"""Fuzzing of what reads a stranger's bytes: the milter protocol and the inspection."""
