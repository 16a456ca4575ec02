"""One job beside the table: why it is not running, its history, what it writes while it writes it."""


import pytest

from tests.browser import looks, shown
from tests.support import wait_until

TALKER = "echo one; echo oops >&2; until [ -e go ]; do sleep 0.02; done; echo two; until [ -e end ]; do sleep 0.02; done; exit 3"

FACTS = """
    const names = [...document.querySelectorAll('#detail dt')];
    return Object.fromEntries(names.map(one => [one.innerText, one.nextSibling.innerText]));
"""


def test_a_running_job_is_watched_until_it_fails_and_its_history_is_told(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "talker", "--max-retries", "0", TALKER)
    shown.open_live(page, dashboard.address)
    page.click("link", "talker")
    page.wait_for_text("No worker is running", "#detail")
    workers = queue.start_workers("--drain", count=1)
    stdout = "section[aria-label=stdout] pre"
    wait_until(lambda: page.text(stdout) == "one\n", "the first line is shown")
    queue.write("go", "")
    wait_until(lambda: page.text(stdout) == "one\ntwo\n", "the second line is shown while the job runs")
    assert page.text("section[aria-label=stderr] pre") == "oops\n"
    page.screenshot("detail-running")
    queue.write("end", "")
    page.wait_for_text("exit 3", "ol[aria-label=History]")
    states = page.script("return [...document.querySelectorAll('ol[aria-label=History] .state')].map(one => one.textContent)")
    assert states == ["pending", "processing", "dead"]
    page.screenshot("detail-dead")
    assert workers.wait() == 0


def test_beside_the_open_job_the_head_stays_one_line_and_one_bar_scrolls(page, lasting):
    page.resize(1280, 800)
    lasting.queue.enqueue("--id", "wide", "--hold", "true")
    shown.open_live(page, lasting.at("job=wide&token=" + lasting.token))
    page.wait_for_text("held", "#detail")
    page.screenshot("detail-1280")
    tops = page.script("return [...document.querySelectorAll('header.top > *')].map(one => one.getBoundingClientRect()).map(at => at.top + at.height / 2)")
    assert max(tops) - min(tops) < 6
    assert page.script("return document.documentElement.clientWidth === innerWidth")
    lasting.queue.run("cancel", "wide")


def test_what_goes_on_is_told_in_whole_seconds(page, lasting):
    shown.open_live(page, lasting.address)
    told = page.script("const {growing} = await import('/static/text.js'); return [0, 0.4, 1.7, 9.99, 75].map(growing)")
    assert told == ["0 s", "0 s", "1 s", "9 s", "1 min 15 s"]


def test_why_it_is_not_running_is_told_and_kept_up_to_date(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "first", "--hold", "true")
    queue.enqueue("--id", "second", "--after", "first", "true")
    shown.open_live(page, dashboard.address)
    page.click("link", "second")
    page.wait_for_text("waits for first", "#detail")
    queue.run("cancel", "first")
    page.wait_for_text("first, which was cancelled", "#detail")
    page.click("link", "first")
    page.wait_for_text("first", "#detail h2")


def test_a_queue_that_is_paused_is_resumed_beside_the_reason(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "one", "--queue", "mail", "true")
    queue.run("pause", "mail", "--reason", "server moves")
    shown.open_live(page, dashboard.at("job=one&token=" + dashboard.token))
    page.find("button", "Resume the queue mail")
    page.screenshot("detail-paused")
    page.click("button", "Resume the queue mail")
    page.wait_gone("button", "Resume the queue mail")
    shown.wait_said(page, "mail is resumed")
    assert "server moves" not in queue.run("status").out and page.focused() == "heading: one"


def test_every_field_is_there(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "full", "--queue", "mail", "--priority", "7", "--timeout", "90s", "--max-retries", "5", "--env", "LEVEL=3",
                  "--delay", "1h", "--nice", "5", "echo full")
    page.open(dashboard.address)
    page.open(dashboard.at("job=full"))
    page.wait_for_text("echo full", "#detail")
    facts = page.script(FACTS)
    assert facts["Queue"] == "mail" and facts["Priority"] == "7" and facts["Nice"] == "5" and facts["Directory"] == queue.directory
    assert facts["Attempts"] == "0 of at most 6" and facts["Timeout"] == "1 min 30 s"
    assert set(facts) >= {"Command", "Created", "Run at", "env LEVEL"}


def test_an_open_job_is_kept_in_the_address_and_back_closes_it(page, dashboard):
    dashboard.queue.enqueue("--id", "one", "true")
    shown.open_live(page, dashboard.address)
    page.click("link", "one")
    page.wait_for_text("one", "#detail h2")
    assert page.address() == dashboard.at("job=one")
    page.reload()
    page.wait_for_text("one", "#detail h2")
    page.back()
    page.wait_gone("button", "Close the job")


def test_a_job_that_is_not_there_is_said(page, dashboard):
    page.expect("404")
    page.open(dashboard.address)
    page.open(dashboard.at("job=nobody"))
    page.wait_for_text("no such job", "#detail")
    page.screenshot("no-such-job")


def test_an_output_of_megabytes_shows_its_end_and_the_page_stays_quick(page, dashboard):
    queue = dashboard.queue
    queue.enqueue("--id", "loud", "i=0; while [ $i -lt 60000 ]; do echo \"line $i of much\"; i=$((i+1)); done")
    queue.work(count=1)
    page.open(dashboard.address)
    page.open(dashboard.at("job=loud"))
    page.wait_for_text("line 59999 of much", "section[aria-label=stdout]")
    assert page.script("return document.querySelector('section[aria-label=stdout] pre').textContent.length") < 2 ** 20
    link = page.find("link", "Open what was kept of stdout")
    assert link.attribute("href").endswith("/api/jobs/loud/stdout")
    page.wait_for_text("1 MB of 1.08 MB was kept: the middle is left out", "section[aria-label=stdout]")
    page.screenshot("detail-loud")


def test_of_a_little_that_was_kept_all_is_shown_and_what_is_left_out_stands_in_its_place(page, dashboard):
    queue = dashboard.queue
    queue.run("config", "set", "output_limit", "8KB")
    queue.enqueue("--id", "cut", "i=0; while [ $i -lt 6000 ]; do echo \"line $i of much\"; i=$((i+1)); done")
    queue.work(count=1)
    page.open(dashboard.address)
    page.open(dashboard.at("job=cut"))
    page.wait_for_text("line 5999 of much", "section[aria-label=stdout]")
    text = page.text("section[aria-label=stdout] pre")
    page.screenshot("detail-cut")
    assert text.startswith("line 0 of much\n") and text.count("KB are left out here.") == 1
    assert text.index("line 20 of") < text.index("left out here") < text.index("line 5990 of")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_terminals_colours_are_shown_as_such_and_other_sequences_as_text(page, dashboard, scheme):
    queue = dashboard.queue
    page.prefer(color_scheme=scheme)
    codes = [*range(30, 38), *range(90, 98)]
    lines = ["\x1b[%dmcode %d\x1b[0m" % (code, code) for code in codes]
    lines += ["\x1b[1;31mbold\x1b[22m red\x1b[39m plain", "\x1b[2Jcleared \x1b[38;5;9mothers \x1b[8mhidden"]
    queue.write("out", "\n".join(lines) + "\n")
    queue.enqueue("--id", "coloured", "cat out")
    queue.work(count=1)
    page.open(dashboard.address)
    page.open(dashboard.at("job=coloured"))
    stdout = "section[aria-label=stdout] pre"
    page.wait_for_text("bold red plain", stdout)
    text = page.text(stdout)
    assert "code 31\ncode 32" in text and "\\x1b[2Jcleared \\x1b[38;5;9mothers \\x1b[8mhidden" in text
    colours = page.script("return Object.fromEntries([...document.querySelectorAll(args[0] + ' span')].map("
                          "one => [one.textContent, getComputedStyle(one).color]))", stdout)
    assert len({colours["code %d" % code] for code in range(31, 37)}) == 6 and "bold" in colours
    page.script("document.querySelector(args[0]).parentNode.style.maxHeight = 'none'", stdout)
    page.screenshot("colours-" + scheme)
    assert looks.faults(page, "contrast") == []


def test_a_sequence_that_comes_in_two_pieces_is_one(page, lasting):
    shown.open_live(page, lasting.address)
    told = page.script("const {BEGUN} = await import('/static/colours.js');"
                       "return ['a\\r', 'a\\x1b', 'a\\x1b[1;3', 'a\\x1b[31m', 'a'].map(text => (BEGUN.exec(text) || [''])[0])")
    assert told == ["\r", "\x1b", "\x1b[1;3", "", ""]
