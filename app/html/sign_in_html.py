"""The page that asks for a name and a password: one file, without a script, that loads nothing."""

from app.html import markup

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
       background: #f2efe8; color: #23201b; }
form { display: grid; gap: .75rem; width: min(20rem, 80vw); padding: 2rem; border: 1px solid #d8d2c4;
       border-radius: .5rem; background: #fbf9f4; }
h1 { margin: 0; font-size: 1.4rem; }
p { margin: 0; color: #a01c10; }
label { display: grid; gap: .25rem; }
input, button { font: inherit; padding: .5rem; border: 1px solid #8a8273; border-radius: .25rem; }
button { background: #7a3b12; color: #ffffff; cursor: pointer; }
@media (prefers-color-scheme: dark) {
  body { background: #151412; color: #e6e1d6; }
  form { background: #1d1b18; border-color: #3b372f; }
  p { color: #f0a79c; }
  input { background: #151412; color: #e6e1d6; }
  button { background: #e3a06f; color: #1d1b18; }
}
"""


def page(title: str, said: str = "") -> str:
    """Write the page; said: why the last attempt failed."""
    name = markup.tag("input", name_="username", autocomplete="username", required=True, autofocus=True)
    secret = markup.tag(
        "input", name_="password", type="password", autocomplete="current-password", required=True
    )
    form = markup.tag(
        "form",
        markup.tag("h1", title),
        markup.tag("p", said, role="alert") if said else "",
        markup.tag("label", "Username", name),
        markup.tag("label", "Password", secret),
        markup.tag("button", "Login", type="submit"),
        method="post",
        action="login",
    )
    head = (
        f"<meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{markup.text(title)}</title><style>{STYLE}</style>"
    )
    return f"<!doctype html><html lang=en><head>{head}</head><body><main>{form}</main></body></html>"
