"""What a command that goes on for long loads before it waits: the one file may be replaced under it.

A module that is looked for in another version's file is not found, or is another
version's. Commands that are soon over load what they need when they need it.
"""

from queuectl_lib.store import store as stores


def load_all():
    """Import now what looking at a store and its jobs would import when it comes to it."""
    from queuectl_lib.faces import reading
    from queuectl_lib.work import cancel, pidfile, progress, recovery, slots
    stores.load_all()
    return reading, cancel, pidfile, progress, recovery, slots
