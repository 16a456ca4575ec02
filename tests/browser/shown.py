"""What is to be seen on the page, in the words of a person: the rows of its table, the open job, what was said."""

import json

from tests.support import wait_until

ROWS = """
    const table = [...document.querySelectorAll('main #view table')].find(one => one.checkVisibility());
    if (!table) return [];
    const titles = [...table.tHead.rows[0].cells].map(cell => cell.textContent.trim());
    return [...table.tBodies].flatMap(body => [...body.rows]).filter(row => row.checkVisibility()).map(
        row => Object.fromEntries([...row.cells].map((cell, at) => [titles[at], cell.innerText.trim()])));
"""


def rows(page):
    """The rows of the table that is shown, each as {title of the column: text}."""
    return page.script(ROWS)


def ids(page):
    return [row["Job"] for row in rows(page) if "Job" in row]


def wait_for_ids(page, wanted):
    """Until these jobs and no others are shown, in this order."""
    wait_until(lambda: ids(page) == wanted, "the table shows %s and no other" % wanted)


def wait_for_row(page, id, **wanted):
    """The row of a job once its cells hold these texts: State="dead"."""
    def fits():
        for row in rows(page):
            if row.get("Job") == id and all(text in row.get(title, "") for title, text in wanted.items()):
                return row
    return wait_until(fits, "the table shows %s with %s" % (id, wanted))


def open_live(page, address):
    """Open the dashboard, until it hears what happens."""
    page.open(address)
    wait_live(page)


def wait_live(page):
    page.wait_for_text("Live", "#connection")


def wait_said(page, text):
    """A toast with this text."""
    page.wait_for_text(text, "#toasts")


def many(queue, count, **fields):
    """Enqueue so many jobs, job-00000 and so on."""
    lines = (json.dumps(dict({"id": "job-%05d" % n, "command": "echo %d" % n}, **fields)) for n in range(count))
    queue.run("enqueue", "--file", "-", input="\n".join(lines))
