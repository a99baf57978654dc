"""How long data stays: the caps that this disk can bear, what is kept under them, and what has to go."""
