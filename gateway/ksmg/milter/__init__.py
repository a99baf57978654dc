"""The mail filter protocol, version 6, as Postfix speaks it.

`packets`, `commands`, `negotiation` and `replies` do no I/O. `session` is the conversation with one peer.
Source: Postfix's milter8.c and the milter protocol description of sendmail's libmilter (mfdef.h).
"""
