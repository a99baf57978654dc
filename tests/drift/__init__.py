"""Drift, seeded on a running appliance: `ksmg audit access` names each kind of it."""
