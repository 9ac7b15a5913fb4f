"""The pages that a user sees in a browser on the way to a consent: HTML without scripts, and its headers."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from shared.asgi import Headers
from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}"
    "dl{display:grid;grid-template-columns:9rem 1fr;gap:.25rem 1rem}dt{color:#666}dd{margin:0;"
    "overflow-wrap:anywhere}button{font:inherit;padding:.5rem 1.5rem}.warn{border-left:4px solid #c60;"
    "padding-left:1rem}"
)


def page_headers(onward: str = "") -> Headers:
    """`onward` is where the form's answer leads: browsers ask the policy about that too."""
    scheme = f" {urlsplit(onward).scheme}:" if onward else ""
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{scheme}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"x-frame-options", b"DENY"),
        (b"x-content-type-options", b"nosniff"),
        # Not `no-referrer`: then browsers would not say where the form comes from either.
        (b"referrer-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]


def question(facts: Mapping[str, str], user: str, fields: Mapping[str, str]) -> bytes:
    """The page that asks; `fields` come back when it is confirmed."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    return _page(
        "Allow access?",
        f"<p>An agent wants to use an account of yours on behalf of <b>{escape(user)}</b>.</p><dl>{rows}</dl>"
        f'<p class="warn">Go on only if <b>{escape(user)}</b> is you. The account that you sign in with next '
        "can be used by whoever sent you this link, if that was somebody else.</p>"
        f'<form method="post">{hidden}<button>Continue</button></form>',
    )


def done(server: str, user: str) -> bytes:
    return _page(
        "Connected",
        f"<p>{escape(user)} is connected to {escape(server)}. You can close this page; call the tool again "
        "if it does not go on by itself.</p>",
    )


class PageErrors:
    """Failures as a page of their own."""

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        body = _page("This did not work", f"<p>{escape(error.detail)}.</p><p>Call {escape(request_id)}</p>")
        return error.status, [*page_headers(), *retry_headers(error)], body

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return b""


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}</body></html>"
    ).encode()
