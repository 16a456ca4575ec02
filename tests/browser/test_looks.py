"""The measures themselves: what they are to find is found, and nothing else."""

from urllib.parse import quote

from tests.browser import looks


def show(page, html):
    page.open("data:text/html;charset=utf-8," + quote("<!doctype html><html lang=en><title>t</title><body>" + html))


def test_pale_text_is_found_whatever_it_is_made_of(page):
    show(page, """<p>black</p><p style="color: #777">nearly</p><p style="color: #777; font-size: 24px">large</p>
        <div style="opacity: .4">faded</div><div style="background: #333">dark on dark</div>
        <p style="color: color-mix(in srgb, #000 30%, #fff)">mixed</p><button disabled style="color: #ccc">off</button>
        <svg><text y=20 fill="#bbb">drawn</text></svg><p hidden style="color: #fff">hidden</p>
        <input aria-label=a value=v style="color: #ddd; background: #fff">""")
    found = [line.rpartition(": ")[2] for line in looks.faults(page, "contrast")]
    assert found == ["nearly", "faded", "dark on dark", "mixed", "drawn", "v"]


def test_what_is_wider_than_its_window_or_frame_is_found_and_a_region_that_scrolls_is_none(page):
    page.resize(320, 640, phone=True)
    wide = "<meta name=viewport content='width=device-width'><div style='overflow: auto' %s><p style='width: 900px'>in</p></div>"
    show(page, wide % "role=region tabindex=0 aria-label=output")
    assert looks.faults(page, "width") == []
    show(page, wide % "id=frame")
    assert [fault.split()[0] for fault in looks.faults(page, "width")] == ["div#frame"]
    show(page, "<meta name=viewport content='width=device-width'><p id=out style='width: 400px'>out</p>")
    assert "p#out" in looks.faults(page, "width")[0]


def test_what_a_screen_reader_could_not_name_is_found(page):
    show(page, "<button>Retry</button><button></button><input><label>Find <input></label>")
    assert looks.nameless(page) == ["button", "textbox"]


def test_small_controls_and_hidden_focus_are_found(page):
    show(page, "<button style='width: 9px; padding: 0; outline: none'>x</button><button style='width: 90px; height: 30px'>y</button>")
    assert len(looks.faults(page, "targets")) == 1
    page.press("Tab")
    assert page.focused() == "button: x" and len(looks.faults(page, "focus")) == 1
    page.press("Tab")
    assert page.focused() == "button: y" and looks.faults(page, "focus") == []


def test_an_error_of_the_page_is_a_fault(page):
    page.expect("boo")
    show(page, "<script>console.error('boo'); console.error('eek')</script>")
    assert [message.rpartition(" ")[2] for message in page.faults()] == ['"eek"']
    page.expect("eek")
