"""The yardstick of draining: N processes, each a loop that starts a shell command and waits for it.

Output is kept in the cheapest way there is: two files a process, opened once,
appended to by its commands; nothing is read back, cut or looked at. Prints the
CPU (seconds) of the loops themselves and of the commands.
"""

import multiprocessing
import os
import subprocess
import sys


def loop(count, output, pipe):
    with open(output + ".out", "ab") as out, open(output + ".err", "ab") as err:
        for _ in range(count):
            subprocess.Popen("true", shell=True, start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=out, stderr=err).wait()
    times = os.times()
    pipe.send((times.user + times.system, times.children_user + times.children_system))


def main(processes, jobs, output):
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    started = [context.Process(target=loop, args=(jobs // processes, "%s.%d" % (output, number), writer))
               for number in range(processes)]
    for process in started:
        process.start()
    spent = [reader.recv() for _ in started]
    for process in started:
        process.join()
    print(sum(own for own, _ in spent), sum(commands for _, commands in spent))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
