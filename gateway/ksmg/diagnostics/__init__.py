"""What the vendor's and the site's engineers look at when something is wrong: traces, archives and dumps.

All of it may hold personal data, so all of it is off, made by nobody but root or the holder of the permission
`obtain_diagnostics`, under a cap, and overwritten when it goes.
"""
