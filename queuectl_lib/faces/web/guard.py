"""Who may ask for what: pure checks of a request's head, made before its body is read.

The danger to a server on 127.0.0.1 is the browser of the user it serves: any
site that is open in it can send requests here. A site that has its own name
point to 127.0.0.1 would even be of the same origin as what answers there, so
the list of allowed hosts is what keeps it out; the cookie, which such a name
does not have, is the second wall. A change needs a third: a browser says of
each request where it comes from, and one that has only the cookie to show and
does not say that is refused.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
import socket
from html import escape
from urllib.parse import parse_qsl, urlencode

from queuectl_lib.faces.web.message import HTML, Answer, Refused

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?\Z")
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
# In the place of a name: whatever address the machine has.
_ANY_ADDRESS = "*"
# In the place of a wrong token, in the address of the page that says so.
_MARK = "wrong-token"
# As page.css has it; that is not given to whoever has no token.
_TOKEN_STYLE = """
:root { --ground: #f6f7f9; --sheet: #ffffff; --line: #d5dae1; --strong-line: #7a8594; --ink: #1b2027; --accent: #2456a6;
  --on-accent: #ffffff; --focus: #1a5fd0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --sheet: #1b1f26; --line: #353d49; --strong-line: #8894a4; --ink: #e6e9ee; --accent: #8ab4f8;
    --on-accent: #10151c; --focus: #9cc2ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 0.875rem/1.45 system-ui, sans-serif; }
main { max-width: 34rem; margin: 10vh auto 0; padding: 1rem 1.5rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 6px; }
h1 { margin: 0; font-size: 1.05rem; }
label { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; font-weight: 600; }
form p { display: flex; flex-wrap: wrap; gap: 0.5rem; }
input, button { font: inherit; min-height: 2rem; padding: 0.3rem 0.7rem; border: 1px solid var(--strong-line); border-radius: 6px;
  background: var(--sheet); color: var(--ink); }
button { background: var(--accent); border-color: var(--accent); color: var(--on-accent); cursor: pointer; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
"""
_TOKEN_RULES = (
    "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    % base64.b64encode(hashlib.sha256(_TOKEN_STYLE.encode("ascii")).digest()).decode("ascii"))
_TOKEN_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>queuectl: token wanted</title><style>%s</style></head>
<body><main>
<h1>This dashboard wants its token</h1>
%s
<p>The address with the token was printed by <code>queuectl dashboard</code> when it was started;
the token alone stands in the file <code>token</code> of its store.</p>
<form method="get" action="/">%s
<p><label>Token <input name="token" type="password" autocomplete="off" required autofocus></label>
<button>Open</button></p>
</form>
<p>You came by a link, and have opened the dashboard before? <a href="%s">Try again.</a></p>
</main></body>
</html>
"""


def hosts(host, bound):
    """What a server may be called that was told to listen at `host`, and does at the address `bound`."""
    address = ipaddress.ip_address(bound.partition("%")[0])
    names = set(_LOCAL)
    if host:
        # A zone is this machine's affair: no client puts it into the header.
        names.add(_bracketed(host.lower().partition("%")[0]))
    if address.is_unspecified:
        names.update((_ANY_ADDRESS, socket.gethostname().lower()))
    else:
        names.add(_bracketed(str(address)))
    return frozenset(names)


def is_name(text):
    """May this be what a server is called, without a port?"""
    match = _HOST.match(text)
    return match is not None and match.group(1) == text


def _bracketed(name):
    return "[%s]" % name if ":" in name and not name.startswith("[") else name


def check(request, site):
    """None where a request may be answered, or the Answer that it gets instead; raises Refused."""
    host = host_of(request.headers, site.hosts)
    if request.path == "/healthz" and not is_change(request):
        return None
    if request.path == "/" and not is_change(request) and "token" in request.query:
        return _entered(request, site)
    by_cookie = _has_cookie(request.headers, site)
    if not by_cookie and not _has_bearer(request.headers, site):
        return _token_wanted(request, site)
    if is_change(request):
        check_change(request.headers, host, by_cookie, site.read_only, site.name)
    return None


def is_change(request):
    """May this change the store?"""
    return request.method not in ("GET", "HEAD")


def host_of(headers, allowed):
    """What the client calls this server, in lower case; Refused where that is not one of its names."""
    given = headers.get_all("Host", [])
    if len(given) != 1:
        raise Refused(403, "want one Host header, not %d" % len(given))
    host = given[0].strip(" \t").lower()
    match = _HOST.match(host)
    if match is None:
        raise Refused(400, "the Host header is malformed")
    name = match.group(1)
    if name not in allowed and not (_ANY_ADDRESS in allowed and _is_address(name)):
        raise Refused(403, "this is not the server of that name: use the address it was started with")
    return host


def _is_address(name):
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def same(given, token):
    """Is this the token? Takes as long wherever they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode("utf-8"))


def is_token(given, site):
    """Is this a token that opens the dashboard?"""
    return any([same(given, token) for token in (site.token,) + site.others])


def cookie_name(token):
    """Cookies are not told apart by port: two dashboards would take each other's away.

    Nor is the server's own port in it: those of two machines, each reached through a tunnel, may have the same.
    """
    return "queuectl_" + hashlib.sha256(token.encode("utf-8")).hexdigest()[:12]


def _has_cookie(headers, site):
    return any([is_token(given, site) for given in _cookies(headers, site)])


def _cookies(headers, site):
    """What the cookies of this dashboard hold."""
    # Not http.cookies: it gives up at the first cookie that it finds odd, and any
    # other program on this host name may have set one.
    wanted = cookie_name(site.token)
    pairs = [pair.partition("=") for line in headers.get_all("Cookie", []) for pair in line.split(";")]
    return [value.strip() for name, _, value in pairs if name.strip() == wanted]


def _has_bearer(headers, site):
    kind, _, given = headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and is_token(given.strip(), site)


def _entered(request, site):
    """The answer to an address with a token: the same without it, which nobody reads over a shoulder or in a history."""
    given = request.query["token"][-1].strip()
    if not (is_token(given, site) or _is_ticket(request, site, given) or _has_cookie(request.headers, site)):
        return _refused_page(request)
    cookie = "%s=%s; Path=/; HttpOnly; SameSite=Strict" % (cookie_name(site.token), site.token)
    return Answer(303, HTML, b"", {"Location": _without_token(request.query), "Set-Cookie": cookie})


def _refused_page(request):
    """The answer to an address with a wrong token: that must not stay there either, it may open another dashboard."""
    if not _wants_page(request):
        raise _refused("wrong")
    address = _without_token(request.query)
    return Answer(303, HTML, b"", {"Location": address + ("&" if "?" in address else "?") + _MARK + "="})


def _is_ticket(request, site, given):
    return request.method == "GET" and site.tickets is not None and site.tickets.take(given)


def _without_token(query):
    rest = [(name, text) for name, texts in query.items() for text in texts if name not in ("token", _MARK)]
    return "/?" + urlencode(rest) if rest else "/"


def _token_wanted(request, site):
    """The 401: for a person in a browser a page that takes the token."""
    if not _wants_page(request):
        raise _refused("wrong" if "Authorization" in request.headers or _cookies(request.headers, site) else "none")
    address = _without_token(request.query)
    kept = ['<input type="hidden" name="%s" value="%s">' % (escape(name), escape(text))
            for name, text in parse_qsl(address[2:], keep_blank_values=True)]
    wrong = '<p role="alert"><strong>That is not the token of this dashboard.</strong></p>' if _MARK in request.query else ""
    page = _TOKEN_PAGE % (_TOKEN_STYLE, wrong, "".join(kept), escape(address))
    return Answer(401, HTML, page.encode("utf-8"), {"WWW-Authenticate": "Bearer", "Content-Security-Policy": _TOKEN_RULES})


def _wants_page(request):
    return request.path == "/" and "text/html" in request.headers.get("Accept", "")


def _refused(which):
    """The Refused of a request whose token is 'wrong', or that has 'none'."""
    told = {"wrong": "that is not the token of this dashboard", "none": "there is no token"}[which]
    return Refused(401, told + ": want Authorization: Bearer TOKEN (it stands in the file 'token' of the store)",
                   WWW_Authenticate="Bearer")


def check_change(headers, host, by_cookie, read_only, name=None):
    """Refused unless what these headers ask to be changed comes from here and may be.

    host: as host_of gives it; name: of a proxy, which may have put another into that header.
    """
    origins = headers.get_all("Origin", [])
    sites = headers.get_all("Sec-Fetch-Site", [])
    own = [scheme + each for scheme in ("http://", "https://") for each in (host, name) if each]
    if any(origin.lower() not in own for origin in origins):
        raise Refused(403, "another site asked for this change")
    if any(site not in ("same-origin", "none") for site in sites):
        raise Refused(403, "another site asked for this change")
    if by_cookie and not origins and not sites:
        raise Refused(403, "a change wants an Origin header beside the cookie, or: Authorization: Bearer TOKEN")
    if read_only:
        raise Refused(403, "this dashboard is read-only")
    has_body = headers.get("Content-Length", "0").strip("0") != ""
    if has_body and headers.get_content_type() != "application/json":
        raise Refused(415, "want Content-Type: application/json")
