"""Builder of the golden image: one site's inventory in, one signed bootable disk image out.

A build is a chain of stages (``golden.stages``). Each stage names its inputs by digest; a stage whose inputs did not
change is taken from the cache. Commands are built as argument lists by the stages and run by ``golden.console``.
"""
