"""``make bench-mail``: messages a second and their cost, ours and its peers', as ratios of one run."""
