"""Rows in columns, as wide as the terminal and no wider; plain and whole when nobody looks."""

from collections import namedtuple

from queuectl_lib.words.text import clip, safe

# key: what the rows call it; title: its heading; least: its width in a pipe;
# right: numbers stand to the right; usual: on a terminal the column is left out
# when no row says anything else; gives: to what width it may be cut there (None:
# an id that is cut is of no use).
Column = namedtuple("Column", ("key", "title", "least", "right", "usual", "gives"))
Column.__new__.__defaults__ = (0, False, None, None)

_GAP = "  "
_ROOM_FOR_LAST = 24
_NARROWEST_LAST = 10
_NARROWEST = 4


def plain_heading(columns):
    """The first line of a table for a pipe."""
    return _joined([_padded(column.title, column.least, column.right) for column in columns])


def plain_line(columns, row):
    """A row for a pipe: all columns, nothing cut.

    The widths are fixed beforehand, so that a million rows need no memory and
    the columns stand where they stood yesterday.
    """
    return _joined([_padded(_cell(row, column), column.least, column.right) for column in columns])


def fitted(columns, rows, width, paint=None, ellipsis="\u2026"):
    """The lines of a table for a terminal of this width; none for no rows.

    rows: dicts from a column's key to text; paint: function (text, key, row)
    -> text, which adds colour and no width.
    """
    rows = list(rows)
    if not rows:
        return []
    columns = [column for column in columns if _says_something(column, rows)]
    cells = [[_cell(row, column) for column in columns] for row in rows]
    widths = fit([_widest(column, place, cells) for place, column in enumerate(columns)],
                 [column.gives for column in columns], width)
    lines = [_line(columns, [column.title for column in columns], widths, ellipsis, None)]
    for row, texts in zip(rows, cells):
        painted = paint and (lambda text, key, row=row: paint(text, key, row))
        lines.append(_line(columns, texts, widths, ellipsis, painted))
    return lines


def fit(widths, gives, width):
    """Column widths that together fit.

    The last column gives way first, as long as it stays readable, then those
    that may be cut, then the last again; only then the widest, whatever it is.
    """
    widths = list(widths)
    last = len(widths) - 1
    excess = sum(widths) + len(_GAP) * last - width
    excess = _shrink(widths, last, _ROOM_FOR_LAST, excess)
    for place, floor in enumerate(gives[:-1]):
        if floor is not None:
            excess = _shrink(widths, place, floor, excess)
    excess = _shrink(widths, last, _NARROWEST_LAST, excess)
    while excess > 0 and max(widths) > _NARROWEST:
        excess = _shrink(widths, widths.index(max(widths)), max(widths) - 1, excess)
    return widths


def _shrink(widths, place, floor, excess):
    """Takes from one width what is too much, not below the floor; returns what is still too much."""
    taken = max(0, min(excess, widths[place] - floor))
    widths[place] -= taken
    return excess - taken


def shown_width(text):
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 0 if unicodedata.combining(letter) else 1
               for letter in text)


def cut(text, width, ellipsis="\u2026"):
    """The text, cut to so many columns of a terminal."""
    if text.isascii() or shown_width(text) <= width:
        return clip(text, width, ellipsis)
    while text and shown_width(text) > width - len(ellipsis):
        text = text[:-1]
    return text + ellipsis


def _cell(row, column):
    text = str(row.get(column.key, ""))
    # Of a million rows nearly every cell is such a text.
    return text if text.isascii() and text.isprintable() else safe(text)


def _says_something(column, rows):
    return column.usual is None or any(str(row.get(column.key, "")) not in ("", column.usual) for row in rows)


def _widest(column, place, cells):
    return max(len(column.title), max(shown_width(texts[place]) for texts in cells))


def _line(columns, texts, widths, ellipsis, paint):
    parts = []
    for column, text, width in zip(columns, texts, widths):
        text = cut(text, width, ellipsis)
        padded = _padded(text, width, column.right)
        parts.append(padded.replace(text, paint(text, column.key), 1) if paint and text else padded)
    return _joined(parts)


def _padded(text, width, right):
    room = " " * (width - shown_width(text))
    return room + text if right else text + room


def _joined(parts):
    return _GAP.join(parts).rstrip()
