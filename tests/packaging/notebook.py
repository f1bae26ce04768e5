"""Runs the code cells of a notebook in this process, in order, and shows what their last lines are, as Jupyter would.

    python notebook.py FILE HTML

Prints what the cells print, and writes what they show to HTML: by `_repr_html_` if it makes any, else by repr(). It
stands alone: the tests run it in an environment that has nothing but the wheel.
"""

import ast
import html
import json
import sys
from pathlib import Path


def shown(cell: str, names: dict[str, object]) -> str:
    """What Jupyter would show below the cell."""
    *body, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        exec(compile(cell, "cell", "exec"), names)  # noqa: S102 (our own notebook)
        return ""
    exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
    if value is None:
        return ""
    rich = getattr(value, "_repr_html_", lambda: None)()
    return str(rich) if rich else f"<pre>{html.escape(repr(value))}</pre>"


def main() -> None:
    """Runs the notebook that is named."""
    notebook = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    names: dict[str, object] = {}
    page = ['<meta charset="utf-8">']
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        page.append(f"<pre>{html.escape(source)}</pre>")
        if cell["cell_type"] == "code":
            page.append(shown(source, names))
    Path(sys.argv[2]).write_text("\n".join(page), "utf-8")


if __name__ == "__main__":
    main()
