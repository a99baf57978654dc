"""Clients of the scanning engines. Each speaks one engine's own protocol over its unix socket and does nothing else."""
