"""The textfile of README.md for Prometheus, and its rules: written by the documented line, read by promtool."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest

import readme
from recipes import programs

SECTION = "Logs, metrics and mail"

# The text format, strictly: names, labels, escapes, one HELP and one TYPE before the samples of a name.
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r'(%s)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (-?\d+(?:\.\d+)?(?:e[-+]\d+)?)' % NAME)
ABOUT = re.compile(r"# (HELP|TYPE) (%s) (.+)" % NAME)

# Reads the file as fast as it can until another one is there, and says what was odd and how many it saw.
READER = """
import os, sys
path, stop = sys.argv[1:]
seen = set()
while not os.path.exists(stop):
    with open(path, "rb") as file:
        data = file.read()
    # The first and the last family, and a whole last line.
    if not (data.startswith(b"# HELP queuectl_build_info") and b"queuectl_store_bytes" in data and data.endswith(b"\\n")):
        print("half a file: %r" % data[-200:])
    seen.add(os.stat(path).st_mtime_ns)
print("files", len(seen))
"""


def the_line(queue, output):
    """What cron would run."""
    [line] = [block.text for block in readme.blocks("crontab", SECTION) if " metrics " in block.text]
    line = readme.put(readme.put(line, "/srv/app", queue.directory), "/var/lib/node_exporter", output)
    return readme.put(line, "python3 /usr/local/lib/queuectl.py", " ".join(queue.program.words)).split(None, 5)[5]


def write(queue, output):
    done = subprocess.run(["/bin/sh", "-c", the_line(queue, output)], env=queue.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.stdout, done.returncode) == (b"", 0)
    with open(os.path.join(output, "queuectl.prom")) as file:
        return file.read()


@pytest.fixture
def output():
    """A directory that another user may look into, as pytest's are not."""
    path = tempfile.mkdtemp(prefix="queuectl-metrics-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def busy(queue):
    """Some of everything, and a job that has waited long, with a command and a queue as odd as they may be."""
    queue.enqueue("--queue", "a.b-c_D", "--max-retries", "0", 'echo "\\"; exit 3')
    queue.enqueue("--queue", "done", "true")
    queue.work()
    queue.enqueue("--queue", "paused", "true")
    queue.run("pause", "paused")
    queue.enqueue("--queue", "long", "true")
    queue.run("config", "set", "queue.long.limit", "2")
    return queue


def samples(text, queue):
    """{name and labels, but for the store's: value}; fails where the text is not what Prometheus takes."""
    found = {}
    about = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        said = ABOUT.fullmatch(line)
        if said:
            kind, name, rest = said.groups()
            assert (kind, name) not in about, "twice: " + line
            about[kind, name] = rest
            latest = name
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name == latest and about["TYPE", name] in ("gauge", "counter") and ("HELP", name) in about, line
        assert name.endswith("_total") == (about["TYPE", name] == "counter"), line
        labels, others = re.subn('(?:,|(?<={))store="%s"}$' % re.escape(queue.store), "}", labels)
        assert others == 1, line
        name = (name + labels).replace("{}", "")
        assert name not in found, "twice: " + line
        found[name] = float(value)
    return found


def test_the_line_writes_what_prometheus_takes(busy, output):
    found = samples(write(busy, output), busy)
    assert found['queuectl_jobs{queue="a.b-c_D",state="dead"}'] == 1 and found["queuectl_workers"] == 0
    assert found['queuectl_queue_paused{queue="paused"}'] == 1 and found['queuectl_queue_limit{queue="long"}'] == 2
    assert os.listdir(output) == ["queuectl.prom"]


def test_two_stores_of_one_machine_have_no_series_in_common(busy, output):
    os.mkdir(os.path.join(busy.directory, "other"))
    other = os.path.join(busy.directory, "other", ".queuectl")
    busy.run("--store", other, "enqueue", "true")
    ones, others = series_of(write(busy, output)), series_of(busy.run("--store", other, "metrics").out)
    assert ones and others and not ones & others


def series_of(text):
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


@programs.needs("promtool")
def test_promtool_finds_nothing_to_say(busy, output):
    done = subprocess.run([programs.found("promtool"), "check", "metrics"], input=write(busy, output).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.stdout.decode(), done.returncode) == ("", 0)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
def test_another_user_reads_it_while_it_is_replaced_and_never_finds_half_of_it(busy, output):
    write(busy, output)
    stop = os.path.join(output, "stop")
    # By a Python that others can run.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    reader = subprocess.Popen([python, "-c", READER, os.path.join(output, "queuectl.prom"), stop],
                              preexec_fn=programs.become_nobody, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    writers = [threading.Thread(target=lambda: [write(busy, output) for _ in range(8)]) for _ in range(2)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    with open(stop, "w"):
        pass
    said = reader.communicate()[0].decode()
    assert re.fullmatch(r"files (\d+)\n", said) and int(said.split()[1]) > 3, said


def test_a_directory_that_is_not_ours_to_write_is_named(queue, output):
    queue.enqueue("true")
    done = queue.run("metrics", "--output", os.path.join(output, "none", "queuectl.prom"), code=1)
    assert done.err == "queuectl: cannot write %s/none/queuectl.prom: No such file or directory\n" % output


# --- the rules

def rules(top):
    [block] = readme.blocks("yaml", SECTION)
    path = os.path.join(top, "rules.yml")
    with open(path, "w") as file:
        file.write(block.text)
    return path


@programs.needs("promtool")
def test_the_rules_are_rules(tmp_path):
    done = subprocess.run([programs.found("promtool"), "check", "rules", rules(str(tmp_path))], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0 and b"4 rules found" in done.stdout, done.stdout


@programs.needs("promtool")
def test_they_tell_what_is_wrong_with_a_real_store(busy, output):
    """After ten minutes of what the store says of itself, and of a file that nobody writes any more."""
    series = samples(write(busy, output), busy)
    # It has only just been enqueued.
    series['queuectl_oldest_waiting_seconds{queue="long"}'] += 1000
    series['queuectl_oldest_waiting_seconds{queue="paused"}'] += 1000
    alerts = firing(output, series, age=0)
    assert alerts == {("QueuectlDeadJobs", "a.b-c_D"), ("QueuectlJobsWaitLong", "long"), ("QueuectlNoWorkers", "")}
    series["queuectl_workers"] = 1
    assert firing(output, series, age=0) == alerts - {("QueuectlNoWorkers", "")}
    assert ("QueuectlMetricsAreOld", "") in firing(output, series, age=400)


@programs.needs("promtool")
def test_they_say_nothing_of_a_store_in_which_all_is_well(queue, output):
    queue.enqueue("true")
    queue.work()
    series = samples(write(queue, output), queue)
    series["queuectl_workers"] = 2
    assert firing(output, series, age=30) == set()


def firing(top, series, age):
    """{(alert, queue)} after ten minutes in which the series stood still; age: seconds, of the textfile then."""
    path = rules(top)
    lines = ["rule_files: [rules.yml]", "evaluation_interval: 1m", "tests:", "  - interval: 1m", "    input_series:"]
    for name, value in sorted(series.items()):
        lines += ["      - series: '%s'" % _with_label(name), "        values: '%sx20'" % ("%r+0" % value)]
    lines += ["      - series: 'node_textfile_mtime_seconds{instance=\"host\",file=\"/var/lib/node_exporter/queuectl.prom\"}'",
              "        values: '%d+0x20'" % (600 - age)]
    names = sorted(set(re.findall(r"alert: (\w+)", readme.blocks("yaml", SECTION)[0].text)))
    assert os.path.dirname(path) == top and len(names) == 4
    # promtool tells what fires by what it expected and was not: nothing is.
    lines += ["    alert_rule_test:"]
    for name in names:
        lines += ["      - {alertname: %s, eval_time: 10m, exp_alerts: []}" % name]
    test = os.path.join(top, "test.yml")
    with open(test, "w") as file:
        file.write("\n".join(lines) + "\n")
    done = subprocess.run([programs.found("promtool"), "test", "rules", test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    assert (done.returncode == 0) == ("FAILED" not in said), said
    return {(labels["alertname"], labels.get("queue", ""))
            for labels in (dict(re.findall(r'(\w+)="([^"]*)"', each)) for each in re.findall(r"Labels:\{(.*?)\}", said))}


def _with_label(name):
    """With the store's again, and that of the machine, which Prometheus adds."""
    labels = 'instance="host",store="/srv/app/.queuectl"}'
    return name[:-1] + "," + labels if name.endswith("}") else name + "{" + labels
