"""The appliance's own certificates and DKIM keys, made at the first boot and never before."""
