"""What a request asks for, in its query and in its body: checked as the command line checks its options."""

from queuectl_lib.faces import wanted
from queuectl_lib.faces.web.message import given
from queuectl_lib.job import checks, identifiers
from queuectl_lib.words.errors import BadInput, UnknownJob
from queuectl_lib.words.text import clip, did_you_mean

_SHOWN = 40


def check_names(names, known, what):
    """Raise BadInput where one of these names is not known; what: what they are names of."""
    for name in names:
        if name not in known:
            raise BadInput("unknown %s %r%s; there %s" % (
                what, clip(name, _SHOWN), did_you_mean(name, known),
                "are: " + ", ".join(known) if known else "is none here"))


def check_place(places):
    """Raise UnknownJob for an id in the path that no job can have, BadInput for a queue that cannot be."""
    if not identifiers.is_id(places.get("id", "x")):
        raise UnknownJob("no job has an id like that")
    if "name" in places:
        identifiers.check_queue(places["name"])


def one(request, name):
    """The text of a parameter; None where it is not given, or empty."""
    found = request.query.get(name, ())
    if len(found) > 1:
        raise BadInput("%s: given %d times" % (name, len(found)))
    return found[0] if found and found[0] else None


def whole(request, name, least, most, usual=None):
    """A whole number within these bounds; `usual` where none is given."""
    text = one(request, name)
    if text is None:
        return usual
    # No more digits than fit: some Pythons take seconds for what has thousands of them.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))) or not least <= int(text) <= most:
        raise BadInput("%s: want a whole number from %d to %d, not %r" % (name, least, most, clip(text, _SHOWN)))
    return int(text)


def truth(request, name):
    """True or false; false where it is not given."""
    text = one(request, name)
    if text not in (None, "true", "false"):
        raise BadInput("%s: want true or false, not %r" % (name, clip(text, _SHOWN)))
    return text == "true"


def states(request):
    """The states that are named, None for all."""
    return wanted.states(request.query.get("state", ()), "state")


def queues(request):
    """The queues that are named, None for all."""
    return wanted.queues(request.query.get("queue", ()))


def sorting(request):
    """(the field to sort by, whether the greatest comes first); None for the usual order."""
    text = one(request, "sort")
    if text is None:
        return None
    try:
        wanted.sorting(text)
    except BadInput as error:
        raise BadInput("sort: %s" % error)
    return text.lstrip("-"), text.startswith("-")


def members(request, known):
    """The members of the JSON object in the body; none where there is no body. Only known names are taken."""
    fields = given(request) if request.body else {}
    if not isinstance(fields, dict):
        raise BadInput("want an object, not %s" % checks.kind(fields))
    check_names(fields, known, "field")
    return fields


def text(fields, name):
    """A member that is text; None where it is not there, or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput("%s: want text, not %s" % (name, checks.kind(value)))
    return value


def texts(fields, name):
    """A member that is one text, or a list of them: the list."""
    value = fields.get(name)
    found = [] if value is None else value if isinstance(value, list) else [value]
    for each in found:
        if not isinstance(each, str):
            raise BadInput("%s: want text, or a list of it, not %s" % (name, checks.kind(each)))
    return found
