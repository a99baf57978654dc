"""ksmg: the gateway of the Secure Mail Gateway Appliance.

The filter (`ksmg.filter`) stands between Postfix and the scanning engines, the web application (`ksmg.web`) behind
nginx, and the command (`ksmg.cli`) in the administrator's hands. All three live by the data policy (`ksmg.policy`):
no other module writes down where personal data is kept, how much of it, or who may reach it.
"""

__version__ = "0.1.0"
