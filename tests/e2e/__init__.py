"""Real mail and real pages through the whole appliance: swaks outside, a mail server inside, Chromium, an own DNS."""
