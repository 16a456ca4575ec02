"""The commands by name, in the order in which help shows them: plain data, nothing imported.

The first line of a command's module is its help too; it stands here again so
that `queuectl` need not import every command to list them. A test compares them.
"""

# Name (its module is that name with underscores), help, group.
COMMANDS = (
    ("enqueue", "Add a job, or many.", "Give work"),
    ("wait", "Wait until jobs have ended; exit as a single one did.", "Give work"),
    ("run", "Run a job here and now, whatever its turn.", "Give work"),
    ("up", "Run workers and the dashboard here until told to stop.", "Run it"),
    ("worker start", "Run workers here until told to stop.", "Run it"),
    ("worker stop", "Tell all workers to leave, and wait until they have.", "Run it"),
    ("worker scale", "Have more workers or fewer, while they run.", "Run it"),
    ("worker list", "Show the workers that are alive and what they run.", "Run it"),
    ("status", "Show how the queue stands, and what needs a look.", "Look at it"),
    ("list", "List jobs: running, next to run, waiting, dead, finished.", "Look at it"),
    ("show", "Show everything about one job, and why it is not running.", "Look at it"),
    ("logs", "Print what a job wrote; -f follows it to its end.", "Look at it"),
    ("events", "Show what happened to jobs; -f goes on as it happens.", "Look at it"),
    ("stats", "Show how jobs waited, ran and ended lately.", "Look at it"),
    ("metrics", "Print the queue's figures as Prometheus reads them.", "Look at it"),
    ("dashboard", "Serve the web page and the HTTP API.", "Look at it"),
    ("cancel", "Call off jobs; of running ones all processes are ended.", "Steer it"),
    ("hold", "Keep waiting jobs from running until they are released.", "Steer it"),
    ("release", "Let held jobs run.", "Steer it"),
    ("edit", "Change what jobs that are not running were told.", "Steer it"),
    ("pause", "Start no jobs of some queues, or of any, until resumed.", "Steer it"),
    ("resume", "Let paused queues go on.", "Steer it"),
    ("retry", "Run jobs that failed or ended again, from attempt 1.", "Mend it"),
    ("dlq list", "List dead jobs, and how they died.", "Mend it"),
    ("dlq show", "Show everything about one dead job.", "Mend it"),
    ("dlq retry", "Give dead jobs a full budget of attempts again.", "Mend it"),
    ("dlq purge", "Remove dead jobs and their output for good.", "Mend it"),
    ("purge", "Remove jobs that have ended, and their output, for good.", "Mend it"),
    ("doctor", "Check store, disk and locks; --repair mends what it can.", "Mend it"),
    ("config list", "Show every setting with its value, default and meaning.", "Set it up"),
    ("config get", "Print the value of one setting.", "Set it up"),
    ("config set", "Change a setting of this store.", "Set it up"),
    ("config unset", "Go back to the default of a setting.", "Set it up"),
    ("completion", "Print what makes your shell complete queuectl's words.", "Set it up"),
    ("bundle", "Write queuectl as one file that runs anywhere.", "Set it up"),
    ("demo", "Run a few sample jobs: success, retry, timeout, DLQ.", "Set it up"),
)

# What the commands that share a first word are about.
FAMILIES = {"worker": "what runs the jobs", "dlq": "the dead letter queue", "config": "the settings of this store"}

# What people type by habit: named where somebody asks for a command that there is not.
ALIASES = {
    "rm": "cancel", "remove": "cancel", "delete": "cancel", "del": "cancel", "kill": "cancel", "clean": "purge", "prune": "purge",
    "ls": "list", "start": "worker start", "stop": "worker stop", "workers": "worker list", "add": "enqueue",
    "submit": "enqueue", "log": "logs", "tail": "logs", "requeue": "retry", "rerun": "retry", "version": "--version",
    "check": "doctor", "fsck": "doctor", "repair": "doctor", "verify": "doctor"}

# Run by queuectl itself, by a shell that completes and by `make man`; in no list and no help.
INTERNAL = ("roll", "complete", "manual")


def names():
    return [name for name, _, _ in COMMANDS]


def first_words():
    return sorted({name.split()[0] for name in names()} | {"help"})


def family(word):
    """The commands that begin with this word: (name, help) of `worker start` and its kin."""
    return [(name, line) for name, line, _ in COMMANDS if name.startswith(word + " ")]


def groups():
    """The groups with their commands, in order: [(group, [(name, help), …]), …]."""
    found = {}
    for name, line, group in COMMANDS:
        found.setdefault(group, []).append((name, line))
    return list(found.items())


def heads():
    """[(group, [(first word, help), …]), …]: the same in short, a family being one line where it is first met."""
    seen = set()
    found = []
    for group, members in groups():
        lines = []
        for name, line in members:
            word = name.split()[0]
            if word not in seen:
                seen.add(word)
                lines.append((word, _of_family(word) or line))
        found.append((group, lines))
    return found


def _of_family(word):
    """'list, get, set: the settings …', or nothing for a word that is a command by itself."""
    members = ", ".join(name.split()[1] for name, _ in family(word))
    return ": ".join(filter(None, (members, members and FAMILIES.get(word))))
