"""Tables: what fits, what is left out, what stands where."""

from queuectl_lib.faces import table
from queuectl_lib.faces.table import Column

COLUMNS = (Column("id", "ID", 6), Column("prio", "PRIO", 4, True, "0"), Column("command", "COMMAND"))


def rows(*commands):
    return [{"id": "job%d" % number, "prio": "0", "command": command} for number, command in enumerate(commands)]


def test_a_table_fits_the_terminal():
    lines = table.fitted(COLUMNS, rows("x" * 200, "short"), 40)
    assert [len(line) for line in lines][1] == 40
    assert lines[1].endswith("x\u2026") and lines[2].endswith("short")


def test_where_there_is_no_ellipsis_dots_are_shown():
    assert table.fitted(COLUMNS, rows("x" * 200), 40, ellipsis="...")[1].endswith("x...")


def test_a_column_in_which_everything_is_usual_is_left_out_on_a_terminal():
    assert table.fitted(COLUMNS, rows("a"), 80)[0] == "ID    COMMAND"
    unusual = rows("a", "b")
    unusual[1]["prio"] = "-5"
    assert table.fitted(COLUMNS, unusual, 80)[0] == "ID    PRIO  COMMAND"


def test_a_pipe_has_every_column_whole_and_in_its_place():
    assert table.plain_heading(COLUMNS) == "ID      PRIO  COMMAND"
    assert table.plain_line(COLUMNS, rows("x" * 200)[0]) == "job0       0  " + "x" * 200


def test_nothing_in_a_cell_can_act_on_the_terminal():
    line = table.plain_line(COLUMNS, rows("a\x1b[31m\nb\u202ec")[0])
    assert line.endswith("a\\x1b[31m\\nb\\u202ec")


def test_wide_characters_take_two_columns():
    lines = table.fitted(COLUMNS, rows("\u65e5\u672c\u8a9e" * 20), 30)
    assert lines[1] == "job0  " + "\u65e5\u672c\u8a9e" * 3 + "\u65e5\u672c\u2026"


def test_colour_takes_no_width():
    def paint(text, key, row):
        return "<%s>" % text if key == "id" else text

    plain = table.fitted(COLUMNS, rows("a"), 80)
    painted = table.fitted(COLUMNS, rows("a"), 80, paint)
    assert painted[1] == plain[1].replace("job0", "<job0>")


def test_a_very_narrow_terminal_still_gets_a_table():
    assert all(len(line) <= 22 for line in table.fitted(COLUMNS, rows("x" * 50), 22))


def test_an_id_is_the_last_to_be_cut():
    columns = COLUMNS[:1] + (Column("note", "NOTE", 8, False, None, 6),) + COLUMNS[2:]
    wide = {"id": "i" * 20, "note": "n" * 20, "command": "c" * 90}
    line = table.fitted(columns, [wide], 60)[1]
    assert line.split() == ["i" * 20, "n" * 11 + "\u2026", "c" * 23 + "\u2026"]
    assert table.fitted(columns, [wide], 42)[1].split() == ["i" * 20, "nnnnn\u2026", "c" * 11 + "\u2026"]


def test_no_rows_are_no_table():
    assert table.fitted(COLUMNS, [], 80) == []
