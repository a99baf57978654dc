"""Programs that run on the appliance. Each is one file of the standard library, reads JSON as its argument and prints JSON."""
