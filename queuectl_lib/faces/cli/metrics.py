"""Print the queue's figures as Prometheus reads them.

--output writes them into a file at once, so that nobody reads half of it: for
the textfile collector of Prometheus' node exporter.

Examples:
  queuectl metrics
  queuectl metrics --output /var/lib/node_exporter/queuectl.prom
"""

import os

from queuectl_lib.faces import metrics
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone


def arguments(parser):
    parser.add_argument("--output", metavar="F", help="write into this file, in one go")


def run(args, out):
    text = metrics.of_store(stores.open_store(args.store), clock.now())
    if args.output is None:
        out.text(text)
    else:
        _replace(args.output, text.encode("utf-8"))


def _replace(path, data):
    # Imported here: whoever serves the text needs none of it.
    import tempfile
    directory, name = os.path.split(path)
    temporary = None
    try:
        # The collector reads every file whose name ends in .prom.
        fd, temporary = tempfile.mkstemp(prefix="." + name + ".", suffix=".new", dir=directory or ".")
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            # The exporter is another user. By its descriptor: in a folder of others the name may be another file's by now.
            os.chmod(file.fileno() if os.chmod in os.supports_fd else temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise NotDone("cannot write %s: %s" % (path, error.strerror or error))
