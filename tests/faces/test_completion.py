"""Completion: what is offered for a line, and that real shells offer it."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import time

import pytest

import support
from queuectl_lib.faces import shells
from queuectl_lib.faces.cli import complete, completing, main, registry
from queuectl_lib.store import store as stores


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A store with a job in some of the states."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUEUECTL_STORE", raising=False)
    for words in (["--id", "alpha", "--queue", "mail", "true"], ["--id", "beta", "true"], ["--id", "broken", "false"]):
        assert main.main(["enqueue"] + words) == 0
    stores.open_store(write=True).change(["broken"], lambda job: job._replace(state="dead", attempts=4, exit_code=1))
    return tmp_path


def offered(line):
    """The words offered for a line, as the shell would read it, in order."""
    words = complete._words("queuectl " + line)[1:]
    return [word for word, _ in completing.candidates(words, main.parser_of)]


# --- what is offered

def test_every_command_is_offered(here):
    assert offered("")[:-1] == [word for _, lines in registry.heads() for word, _ in lines]
    for name in registry.names():
        assert offered(name) == [name.split()[-1]]
        assert offered("help " + name) == offered(name)


@pytest.mark.parametrize("name", registry.names())
def test_every_option_of_every_command_is_offered(here, name):
    assert offered(name + " -") == list(main.parser_of(name).known)


@pytest.mark.parametrize("line, words", [
    ("--st", ["--store"]),
    ("--store ", [":directories"]), ("--store=", [":directories"]), ("--store nowhere dlq re", ["retry"]),
    ("list --state comp", ["completed"]),
    ("list --state=comp", ["--state=completed"]),
    ("list --state dead,comp", ["dead,completed"]),
    ("list --state pending processing completed failed ", ["dead", "cancelled"]),
    ("list --queue ", ["default", "mail"]),
    ("list --sort -d", ["-duration"]), ("list --state=dead pen", []),
    ("worker start --queue m", ["mail"]),
    ("config get backoff_m", ["backoff_max"]),
    ("config set backoff-m", ["backoff-max"]),
    ("config set queue.", ["queue.default.limit", "queue.mail.limit"]),
    ("config set max_retries ", ["--help", "--store"]),
    ("show al", ["alpha"]), ("show 'al", ["alpha"]), ("show --json \"al", ["alpha"]),
    ("retry ", ["broken"]),
    ("enqueue --after alpha,", ["alpha,broken", "alpha,beta"]),
    ("enqueue --priority 3 ", [":programs"]), ("enqueue --env A=1 B=2", [":programs"]),
    ("enqueue --env=A=1 B=2", [":programs"]), ("enqueue --delay ", []), ("enqueue ./", [":files"]), ("enqueue tar -", [":files"]),
    ("enqueue --file ", [":files"]), ("enqueue --cwd ", [":directories"]), ("bundle ", [":files"]),
    ("completion z", ["zsh"]),
    ("config list ", ["--help", "--store", "--json"]),
    ("config get timeout --", ["--help", "--store", "--json"]), ("config get -- --", []),
    ("no such command ", []), ("show --nonsense al", ["alpha"]),
])
def test_what_may_come_next_is_offered(here, line, words):
    assert offered(line) == words


def test_ids_are_those_the_command_is_about(here):
    assert offered("show ") == ["broken", "alpha", "beta"]
    for command in ("dlq retry ", "dlq show ", "dlq purge "):
        assert offered(command) == ["broken"]
        assert "broken" not in offered(command + "broken ")


def test_the_store_is_the_one_that_is_named(here, monkeypatch):
    main.main(["--store", "other", "enqueue", "--id", "elsewhere", "true"])
    monkeypatch.setenv("PLACE", str(here))
    for line in ("--store other show ", "--store=other show ", "show --store other ", "show --store=other ",
                 "--store beta show --store $PLACE/other "):
        assert offered(line) == ["elsewhere"]
    monkeypatch.setenv("QUEUECTL_STORE", "other")
    assert offered("show ") == ["elsewhere"]
    assert offered("--store .queuectl show al") == ["alpha"]


def test_a_store_that_cannot_be_read_offers_no_ids_and_says_nothing(here, capsys):
    (here / ".queuectl" / "jobs.jsonl").write_bytes(b"garbage\n" * 1000)
    for words in (["show", ""], ["list", "--queue", ""], ["--store", "nowhere", "show", ""]):
        assert main.main(["complete", "--"] + words) == 0
        out, err = capsys.readouterr()
        assert err == "" and all(line.startswith("--") for line in out.splitlines())
    assert offered("show --js") == ["--json"]


def test_of_many_jobs_few_are_looked_at_and_all_states_have_some(here, monkeypatch):
    stores.open_store(write=True).add_many(
        stores.open_store().find("beta")._replace(id="more%d" % number) for number in range(3000))
    looked_at = []
    monkeypatch.setattr(completing, "safe", lambda text: looked_at.append(text) or text)
    found = offered("show ")
    assert found[0] == "broken" and 50 < len(found) <= 100 and len(looked_at) < 500


def test_nothing_in_a_job_can_act_on_the_terminal(here, capsys):
    main.main(["enqueue", "--id", "evil", "\x1b]0;owned\x07\techo\nmore"])
    capsys.readouterr()
    assert main.main(["complete", "--", "show", "ev"]) == 0
    assert capsys.readouterr().out == "evil\tpending: \\x1b]0;owned\\x07\\techo\\nmore\n"


def test_it_starts_like_an_enqueue(queue):
    queue.enqueue("true")
    code = "import runpy, sys; sys.argv[1:] = %r\ntry: runpy.run_path(%r, run_name='__main__')\nfinally: print(*sys.modules)"

    def loaded(*words):
        command = [support.PYTHON, "-S", "-c", code % (list(words), support.LAUNCHER)]
        return set(subprocess.run(command, cwd=queue.directory, env=queue.environment, stdout=subprocess.PIPE,
                                  universal_newlines=True).stdout.split())

    more = loaded("complete", "--line", "--", "queuectl dlq retry ") - loaded("enqueue", "true")
    assert [name for name in more if not name.startswith("queuectl_lib")] and not more & {
        "multiprocessing", "subprocess", "typing", "difflib", "textwrap", "queuectl_lib.work.recovery"}


# --- in real shells

@pytest.fixture
def typed(queue):
    """The queue, with the program on its PATH under the name queuectl and the scripts of all shells."""
    folder = os.path.join(queue.top, "bin")
    os.mkdir(folder)
    program = os.path.join(folder, "queuectl")
    with open(program, "w") as file:
        file.write("#!/bin/sh\nexec %s \"$@\"\n" % " ".join(map(shlex.quote, queue.program.words)))
    os.chmod(program, 0o755)
    queue.environment["PATH"] = folder + os.pathsep + queue.environment["PATH"]
    for shell in shells.SCRIPTS:
        queue.write({"zsh": "_queuectl"}.get(shell, shell), queue.run("completion", shell).out)
    queue.enqueue("--id", "alpha", "--queue", "mail", "true")
    queue.enqueue("--id", "broken", "--max-retries", "0", "false")
    queue.work()
    queue.enqueue("--id", "beta", "true")
    queue.run("--store", "other", "enqueue", "--id", "elsewhere", "true")
    return queue


def need(shell):
    if shutil.which(shell) is None:
        pytest.skip("no %s here" % shell)


class Terminal:
    """A shell at a terminal: what is typed into it, and what it has shown since."""

    def __init__(self, words, queue):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(queue.directory)
            os.execvpe(words[0], words, dict(queue.environment, TERM="dumb", PS1="> ", PROMPT="> "))

    def type(self, text, until):
        """Type this, and wait until that is shown."""
        self.shown = ""
        os.write(self.fd, text.encode())
        end = time.monotonic() + support.DEADLINE
        while until not in self.shown:
            assert time.monotonic() < end, "typed %r, and no %r came but %r" % (text, until, self.shown)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.shown += os.read(self.fd, 65536).decode("utf-8", "replace")

    def close(self):
        os.write(self.fd, b"\x15exit\r")
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(typed):
    opened = []

    def start(*words):
        need(words[0])
        opened.append(Terminal(list(words), typed))
        return opened[-1]
    yield start
    for each in opened:
        each.close()


@pytest.mark.short
def test_in_bash(typed, terminal):
    bash = terminal("bash", "--norc", "--noprofile", "-i")
    bash.type("bind 'set enable-bracketed-paste off'; source <(queuectl completion bash); echo re\"\"ady\r", "ready\r\n")
    bash.type("queuectl dlq retry \t", "broken ")
    bash.type("\r", "\nbroken")
    bash.type("queuectl list --state=pend\t", "--state=pending ")
    bash.type("\r", "broken")
    bash.type("queuectl --store other show \t", "elsewhere ")
    bash.type("\r", "Job elsewhere")
    bash.type("queuectl show \t\t", "alpha")
    assert bash.shown.index("broken") < bash.shown.index("alpha")
    bash.type("\x15./../bin/queuectl worker sta\t", "start ")
    bash.type("\x15queuectl enqueue --file ./fi\t", "./fish ")
    bash.type("\x15queuectl --store=oth\t", "other/")
    bash.type("\x15queuectl no-such-command \t\x15echo qu\"\"iet\r", "quiet\r\n")
    assert "queuectl:" not in bash.shown


def test_bash_gets_every_candidate_in_order(typed):
    script = """source ./bash; COMP_LINE='queuectl show '; COMP_POINT=${#COMP_LINE}; _queuectl queuectl '' show
        echo "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script], cwd=typed.directory, env=typed.environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert (done.stdout, done.stderr) == ("broken beta alpha\n", "")


def test_in_zsh(typed, terminal):
    zsh = terminal("zsh", "-f", "-i")
    zsh.type("fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; echo re\"\"ady\r", "ready\r\n")
    zsh.type("queuectl dlq retry \t", "broken ")
    zsh.type("\r", "\nbroken")
    zsh.type("queuectl list --state=pend\t", "--state=pending ")
    zsh.type("\r", "broken")
    zsh.type("queuectl --store other show \t", "elsewhere ")
    zsh.type("\x15QUEUECTL_STORE=other queuectl show \t", "elsewhere ")
    zsh.type("\x15./../bin/queuectl worker sta\t", "start ")
    zsh.type("\x15queuectl enqueue --file ./fi\t", "./fish ")
    zsh.type("\x15queuectl --store=oth\t", "--store=other/")
    zsh.type("\x15queuectl show b\t\t", "broken  -- pending: false")


def test_zsh_reads_it_by_source_too(typed, terminal):
    zsh = terminal("zsh", "-f", "-i")
    zsh.type("autoload -U compinit; compinit -u -D; source <(queuectl completion zsh); echo re\"\"ady\r", "ready\r\n")
    zsh.type("queuectl dlq retry \t", "broken ")


def test_in_fish(typed):
    need("fish")

    def shown(line):
        done = subprocess.run(["fish", "--no-config", "-c", "source ./fish; complete -C $argv", line], cwd=typed.directory,
                              env=typed.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert done.stderr == ""
        return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]

    assert shown("queuectl dlq retry ") == ["broken"]
    assert shown("queuectl show ") == ["broken", "beta", "alpha"]
    assert shown("queuectl list --state=pend") == ["--state=pending"]
    assert shown("queuectl --store other show ") == shown("QUEUECTL_STORE=other queuectl show ") == ["elsewhere"]
    assert shown("./../bin/queuectl worker sta") == ["start"]
    assert shown("queuectl enqueue --file ./fi") == ["./fish"]
    assert shown("queuectl --store=oth") == ["--store=other/"]
    assert shown("queuectl no-such-command ") == []


def test_a_program_of_another_name_is_completed_too(typed):
    renamed = os.path.join(typed.top, "bin", "q")
    os.symlink(typed.program.path, renamed)
    done = subprocess.run([support.PYTHON, "-S", renamed, "completion", "bash"], stdout=subprocess.PIPE, check=True)
    assert done.stdout.endswith(b"complete -F _queuectl queuectl queuectl.py q\n")
