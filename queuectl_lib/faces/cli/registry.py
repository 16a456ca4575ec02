"""The commands by name, in the order in which help shows them: plain data, nothing imported.

The first line of a command's module is its help too; it stands here again so
that `queuectl` need not import every command to list them. A test compares them.
"""

# Name (its module is that name with underscores), help, group.
COMMANDS = (
    ("enqueue", "Add a job, or many.", "Give work"),
    ("worker start", "Run workers here until told to stop.", "Run it"),
    ("run", "Run a job here and now, whatever its turn.", "Run it"),
    ("worker stop", "Tell all workers to leave, and wait until they have.", "Run it"),
    ("worker list", "Show the workers that are alive and what they run.", "Run it"),
    ("status", "Show how the queue stands, and what needs a look.", "Look at it"),
    ("list", "List jobs: running, next to run, waiting, dead, finished.", "Look at it"),
    ("show", "Show everything about one job, and why it is not running.", "Look at it"),
    ("logs", "Print what a job wrote; -f follows it while it runs.", "Look at it"),
    ("events", "Show what happened to jobs; -f goes on as it happens.", "Look at it"),
    ("wait", "Wait until jobs have ended, and end as they did.", "Look at it"),
    ("retry", "Run jobs that failed or ended again, with all their attempts.", "Mend it"),
    ("dlq list", "List the jobs that used up their retries.", "Mend it"),
    ("dlq show", "Show everything about one dead job.", "Mend it"),
    ("dlq retry", "Give dead jobs a full budget of attempts again.", "Mend it"),
    ("dlq purge", "Remove dead jobs and their output for good.", "Mend it"),
    ("config list", "Show every setting with its value, default and meaning.", "Set it up"),
    ("config get", "Print the value of one setting.", "Set it up"),
    ("config set", "Change a setting of this store.", "Set it up"),
    ("config unset", "Go back to the default of a setting.", "Set it up"),
    ("demo", "Run a few sample jobs: success, retry, timeout, DLQ.", "Set it up"),
    ("bundle", "Write queuectl as one file that runs anywhere.", "Set it up"),
)

# Run by queuectl itself, in no list and no help.
INTERNAL = ("roll",)


def names():
    return [name for name, _, _ in COMMANDS]


def first_words():
    return sorted({name.split()[0] for name in names()} | {"help"})


def family(word):
    """The commands that begin with this word: (name, help) of `worker start` and its kin."""
    return [(name, line) for name, line, _ in COMMANDS if name.startswith(word + " ")]


def groups():
    """The groups with their commands, in order: [(group, [(name, help), …]), …]."""
    found = []
    for name, line, group in COMMANDS:
        if not found or found[-1][0] != group:
            found.append((group, []))
        found[-1][1].append((name, line))
    return found
