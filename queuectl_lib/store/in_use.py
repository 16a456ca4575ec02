"""What another program has open: Windows refuses to touch it, so it is tried again for a while."""

import time

# Windows refuses to open, rename or replace a file for as long as another program has it open, be it
# a virus scanner: with these numbers, which other systems do not have. 5 may mean that as well, of a file
# that is just being replaced for one, and so may an error of os.open, which tells none.
IN_USE = (32, 33)
_PERHAPS_IN_USE = IN_USE + (5, None)
_TRIES = 10
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25


def patiently(operation, *arguments):
    """Do an operation on a path; what another program may have in use now is tried again, for about a second."""
    pause = _FIRST_PAUSE
    for _ in range(_TRIES - 1):
        try:
            return operation(*arguments)
        except PermissionError as error:
            if getattr(error, "winerror", 0) not in _PERHAPS_IN_USE:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return operation(*arguments)
