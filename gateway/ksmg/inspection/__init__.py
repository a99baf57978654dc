"""What is in a message, as mail clients show it: its MIME parts, their names and true types, and what archives hold.

The walk over MIME is cheap and is done within the filter. Archives and documents are opened by a service of its own,
which has no files, no network and little memory (`service`); `client` is the filter's side of it.

Where two mail clients could read a message differently, either both readings are in the result, or it has the problem
AMBIGUOUS. Mail that is merely sloppy, as much of it is, has no problem.
"""
