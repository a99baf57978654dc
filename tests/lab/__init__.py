"""The test network: systemd hosts, ports for virtual machines, an internet sender, mail servers and a DNS server.

Everything lives in network namespaces and control groups that carry the lab's name. So labs do not see each other, and
`down` finds all that belongs to one, also after an interrupted run.
"""
