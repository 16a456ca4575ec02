"""`python -m queuectl_lib` in the source tree."""

import sys

from queuectl_lib.faces.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
