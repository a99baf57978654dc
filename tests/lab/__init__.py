"""The test network: systemd hosts, a port for a virtual machine, an internet sender, an internal mail server, and a DNS server.

Everything lives in network namespaces and control groups that carry the lab's name, so that labs do not see each other and
`down` finds all that belongs to one, also after an interrupted run.
"""
