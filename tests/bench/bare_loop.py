"""The yardstick of draining: N processes, each a loop that starts a shell command and waits for it."""

import multiprocessing
import subprocess
import sys


def loop(count, output):
    with open(output, "ab") as file:
        for _ in range(count):
            subprocess.Popen("true", shell=True, start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=file, stderr=file).wait()


def main(processes, jobs, output):
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=loop, args=(jobs // processes, output)) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
