"""The stages of a build, one file each, in the order in which ``golden.pipeline`` chains them."""
