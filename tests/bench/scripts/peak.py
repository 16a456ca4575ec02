"""Run a command and print the most memory it had resident, in bytes.

A process of its own: a child begins with the peak of the process that started
it, so that one has to be smaller than what is measured.
"""

import os
import sys

nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss * 1024)
sys.exit(1 if status else 0)
