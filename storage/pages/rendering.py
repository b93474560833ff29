"""Renders a page with its styles and scripts inside, allowed to load nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent


def render(name: str, values: Mapping[str, object], images: Sequence[str] = ("data:",)) -> bytes:
    """Render the template `name`.html with `name`.css and `name`.js, and those of all pages.

    Every value is escaped. The content security policy names the page's own style and script by
    their hashes and forbids everything else, except images from the sources `images`: so a name
    that got through would still run nothing, and no page asks any network for anything.
    """
    style, script = (
        "".join((FOLDER / f"{part}.{suffix}").read_text("utf-8") for part in ("page", name))
        for suffix in ("css", "js")
    )
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src {' '.join(images)}; "
        f"style-src {_hashed(style)}; script-src {_hashed(script)}"
    )
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = {"policy": policy, "style": Markup(style), "script": Markup(script)}
    return environment.get_template(f"{name}.html").render(**values, **own).encode()


def embedded(data: bytes, kind: str) -> str:
    """Return a picture as a link that holds it; `kind` is png or jpeg."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _hashed(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
