"""`make torture`: everything queuectl does, killed with -9 at random moments, then looked at with other eyes.

    plan.py      what happens when: made of the seed alone
    actors.py    processes that are started, killed, and what they printed
    victims.py   those that are hit though they are nobody's child
    run.py       carries out the plan, and brings the store to rest
    evidence.py  reads the store's files with nothing but json and zlib
    verdict.py   what may not be, held against the evidence

Ends with 0 if nothing was lost, ran twice at a time, or was left behind; else with 1, and the store is kept.
Linux alone: who runs, and who holds the lock, is told by /proc.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import support  # noqa: E402

_ONE_FILE = "TORTURE_ONE_FILE"


def main():
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for so long processes are started and killed")
    parser.add_argument("--seed", type=int, help="decides the whole plan; made up and printed when not given")
    parser.add_argument("--one-file", action="store_true", help="the one-file form of the program")
    args = parser.parse_args()
    if support.MARK not in os.environ:
        _begin_anew(args.one_file)
    top = os.environ[support.MARK]
    seed = random.randrange(10 ** 9) if args.seed is None else args.seed
    print("seed %d: %s" % (seed, top), flush=True)
    launcher = os.environ.get(_ONE_FILE, support.LAUNCHER)
    sys.path.insert(0, launcher if launcher != support.LAUNCHER else support.ROOT)

    # `timeout`, or who has seen enough: nothing may go on running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    import run
    import verdict
    run_of_plan = run.Run(seed, top, launcher)
    faults = []
    try:
        try:
            run_of_plan.play(args.seconds)
            run_of_plan.come_to_rest()
        except AssertionError as error:
            faults.append("it does not come to rest: %s" % error)
        faults += verdict.faults(run_of_plan)
        print(run_of_plan.summary(), flush=True)
    finally:
        run_of_plan.end()
    for fault in faults[:verdict.MOST_TOLD]:
        print("FAULT: %s" % fault)
    if faults:
        print("%d faults. seed %d; the store, runs.log and acts.log are in %s" % (len(faults), seed, top))
        return 1
    shutil.rmtree(top, ignore_errors=True)
    return 0


def _begin_anew(one_file):
    """Start this program again with an environment that marks all it starts, and holds nothing of the machine's."""
    top = tempfile.mkdtemp(prefix="queuectl-torture-")
    environment = {"PATH": os.environ["PATH"], "HOME": top, "LANG": "C.UTF-8", "TMPDIR": top,
                   "TORTURE": top,
                   "QUEUECTL_STORE": os.path.join(top, "store"), support.MARK: top}
    if one_file:
        environment[_ONE_FILE] = os.path.join(top, "queuectl.py")
        support.build_one_file(environment[_ONE_FILE])
    os.execve(support.PYTHON, [support.PYTHON, "-S"] + sys.argv, environment)


if __name__ == "__main__":
    sys.exit(main())
