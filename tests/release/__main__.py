"""`make release-check`: may dist/queuectl.py be released?

The checkout is clean; version, changelog, manual page and file fit together; a build from
another checkout has the same bytes; and the same acceptance tests pass with the source tree
and with that very file, under every Python here, two at a time.

    python3 tests/release [VERSION...]    these Pythons alone, such as 3.11
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIST = os.path.join(ROOT, "dist", "queuectl.py")
FORMS = ("tree", "onefile")
FITTING = ("tests/test_release.py", "tests/test_bundle.py", "tests/test_manual.py")
ACCEPTANCE = ("tests/acceptance", "tests/test_upgrade.py")
COUNTED = ("passed", "failed", "error", "skipped")
ROW = "%-8s %-8s " + "%8s " * len(COUNTED) + "%8s"


def main(versions):
    pythons = dict(line.split() for line in said(os.path.join(ROOT, ".ci", "pythons")).splitlines())
    unknown = [version for version in versions if version not in pythons]
    if unknown:
        print("no Python %s here; there are: %s" % (unknown[0], " ".join(pythons)))
        return 2
    steps = [step("the checkout is clean", clean), step("dist/queuectl.py is built, and the same from another checkout", built),
             step("version, changelog, manual page and file fit together", fitting)]
    cells = [(version, form) for version in versions or pythons for form in FORMS]
    ended = table(cells, pythons)
    well = all(steps) and ended
    print("may be released" if well else "may NOT be released: see above")
    return 0 if well else 1


def step(name, function):
    complaint = function()
    print("%-8s %s" % ("FAILED" if complaint else "ok", name), flush=True)
    if complaint:
        print(complaint)
    return not complaint


# Each gives what is wrong, or nothing.

def clean():
    return said("git", "status", "--porcelain")


def built():
    made = said("make", "-s", "dist", "PYTHON=%s" % sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        other = os.path.join(folder, "other")
        said("git", "clone", "-q", ROOT, other)
        made += said("make", "-s", "dist", "PYTHON=%s" % sys.executable, cwd=other, umask=0o077, env={"TZ": "Asia/Tokyo", "LANG": "C"})
        if made:
            return made
        if content(DIST) != content(os.path.join(other, "dist", "queuectl.py")):
            return "the bytes differ"
    return said("sha256sum", "--quiet", "-c", "queuectl.py.sha256", cwd=os.path.dirname(DIST))


def fitting():
    code, text = tested(FITTING, {})
    return text if code else None


def table(cells, pythons):
    """Run all cells and print a line for each; whether all of them passed."""
    print(ROW % (("PYTHON", "FORM") + tuple(name.upper() for name in COUNTED) + ("SECONDS",)), flush=True)
    well = True
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {pool.submit(cell, pythons[version], form): (version, form) for version, form in cells}
        for future in concurrent.futures.as_completed(running):
            code, text, seconds = future.result()
            print(ROW % (running[future] + tuple(number(text, name) for name in COUNTED) + (round(seconds),)), flush=True)
            if code:
                well = False
                print("\n".join(line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))) or text, flush=True)
    return well


def cell(python, form):
    begin = time.monotonic()
    code, text = tested(ACCEPTANCE, {"QUEUECTL_TEST_PYTHON": python, "QUEUECTL_TEST_FORMS": form, "QUEUECTL_TEST_ONE_FILE": DIST})
    return code, text, time.monotonic() - begin


def tested(paths, env):
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rfE"] + list(paths), cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, **env))
    return done.returncode, done.stdout.decode("utf-8", "replace")


def number(text, name):
    """How many tests of this outcome pytest's last line counts."""
    found = re.findall(r"(\d+) %s" % name, text.splitlines()[-1] if text else "")
    return int(found[0]) if found else 0


def said(*words, cwd=ROOT, umask=None, env=None):
    """What a command has to say, about its failure too, if it fails."""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **(env or {})),
                          preexec_fn=None if umask is None else lambda: os.umask(umask) and None)
    text = done.stdout.decode("utf-8", "replace")
    return text + done.stderr.decode("utf-8", "replace") + "%s failed" % words[0] if done.returncode else text


def content(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
