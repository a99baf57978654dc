"""The finished image in a virtual machine: ``python -m boot IMAGE`` boots it twice and tries its promises.

``first`` holds the tests of a machine that has just been installed, ``console`` those of what was then switched on at
its console, ``later`` those of its next boot on a larger disk, ``off`` those of its disk when it is switched off.
"""
