"""What MkDocs does not do by itself: the site's navigation, code beside the pages, diagrams.

* The navigation is the lists of ``docs/README.md``, so that there is one index.
* What lies outside ``docs/`` and is linked becomes a page with numbered lines.
* Diagrams are drawn by a copy of Mermaid from npm if that is installed, without a network.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

from docs.site.links import links, slug

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
MERMAID = ROOT / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
DIAGRAMS = Path(__file__).with_name("diagrams.js")
CODE = "code"
_LIST = re.compile(r"^## (?P<title>.+?)$(?P<body>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_FIRST_LINE = re.compile(r"-L\d+\Z")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the navigation from the index, and anchors as GitHub makes them."""
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    nav: list[Any] = [{"Overview": "README.md"}]
    for section in _LIST.finditer(index):
        pages = [each for each in links(section["body"]) if not each.path.startswith("../")]
        nav.append({section["title"]: [{each.text: each.path} for each in pages]})
    nav.append({"Decisions": _decisions()})
    config.nav = nav
    config.mdx_configs["toc"] = {"slugify": slug, "permalink": True}
    config.extra_javascript += ["assets/mermaid.js"] if MERMAID.is_file() else []
    config.extra_javascript.append("assets/diagrams.js")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the code that pages link to, and what draws diagrams."""
    for script, source in (("mermaid", MERMAID), ("diagrams", DIAGRAMS)):
        if source.is_file():
            name = f"assets/{script}.js"
            files.append(File.generated(config, name, abs_src_path=str(source)))
    outside = {
        target
        for page in files.documentation_pages()
        for link in links(page.content_string)
        if (target := _outside(page.src_uri, link.path)) is not None
    }
    for target in sorted(outside):
        files.append(File.generated(config, _page_of(target), content=_show(target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links that leave ``docs/`` to the pages that were made for them."""
    for link in reversed(list(links(markdown))):
        target = _outside(page.file.src_uri, link.path)
        if target is not None:
            here = os.path.relpath(_page_of(target), Path(page.file.src_uri).parent)
            anchor = f"#{_FIRST_LINE.sub('', link.anchor)}" if link.anchor else ""
            markdown = markdown[: link.start] + here + anchor + markdown[link.end :]
    return markdown


def _decisions() -> list[dict[str, str]]:
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    titles = [each.read_text(encoding="utf-8").partition("\n")[0] for each in pages]
    return [
        {re.sub(r"^# |`", "", title): f"decisions/{page.name}"}
        for title, page in zip(titles, pages, strict=True)
    ]


def _outside(page: str, path: str) -> Path | None:
    """Return what a link of a page leads to if that is not under ``docs/``."""
    target = Path(os.path.normpath(DOCS / Path(page).parent / path)) if path else DOCS
    return None if target.is_relative_to(DOCS) else target


def _page_of(target: Path) -> str:
    return f"{CODE}/{target.relative_to(ROOT).as_posix()}.html"


def _show(target: Path) -> str:
    """Return a page with the numbered lines of a file, or with the names in a folder."""
    if target.is_dir():
        lines = sorted(each.name for each in target.iterdir() if not each.name.startswith("_"))
    else:
        lines = target.read_text(encoding="utf-8").splitlines()
    rows = "\n".join(
        f'<span id="L{number}">{number:>5}  {html.escape(line)}</span>'
        for number, line in enumerate(lines, 1)
    )
    name = html.escape(target.relative_to(ROOT).as_posix())
    return (
        f'<!doctype html><meta charset="utf-8"><title>{name}</title>'
        "<style>:target{background:#ff06}</style>"
        f"<h1>{name}</h1>\n<pre>{rows}\n</pre>\n"
    )
