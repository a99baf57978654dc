"""Programs that run on the appliance. Each is one file of the standard library, takes JSON and prints JSON."""
