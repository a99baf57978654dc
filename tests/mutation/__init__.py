"""Mutations of the data policy and of a running appliance: each must be noticed."""
