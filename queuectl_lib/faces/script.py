"""A job as a shell script that does what a worker does with it: its directory, its variables, its command."""

import shlex

from queuectl_lib.faces import listing
from queuectl_lib.words.text import safe


def of_job(job, root):
    """The lines of the script, as bytes; root: of the store."""
    variables = dict(job.env or {})
    variables["QUEUECTL_JOB_ID"] = job.id
    variables["QUEUECTL_ATTEMPT"] = str(job.attempts or 1)
    variables["QUEUECTL_STORE"] = root
    lines = ["#!/bin/sh", "# " + safe(_about(job))]
    if job.cwd:
        lines.append("cd %s || exit" % _directory(job.cwd))
    # By env, not by export: that knows not every name, and a PATH that was given is none of this script's.
    lines.append("exec %senv -- \\" % ("nice -n %d " % job.nice if job.nice else ""))
    lines += ["  %s \\" % shlex.quote("%s=%s" % variable) for variable in variables.items()]
    lines.append("  /bin/sh -c -- %s </dev/null" % shlex.quote(job.command))
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")


def _directory(path):
    # 'cd -' would go elsewhere; a checked cwd is absolute, one of an edited store may not be.
    return shlex.quote(path if path.startswith("/") else "./" + path)


def _about(job):
    about = "job %s of queuectl, as it stood at %s: %s" % (job.id, job.updated_at, job.state)
    if job.state in ("failed", "dead"):
        about += " (%s)" % listing.ended(job)
    if job.attempts and job.started_at:
        about += ", attempt %d of at most %d begun at %s" % (job.attempts, job.max_retries + 1, job.started_at)
    return about
