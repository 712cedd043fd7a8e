"""The templates of letters. Jinja comes with the first letter: a start takes longer with it."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError, select_autoescape

from application.mail import LetterUnwritable

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(disabled_extensions=("txt",), default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def fill(name: str, values: Mapping[str, str]) -> str:
    """Return what a template of this name says with these values. Raises LetterUnwritable if one is missing."""
    try:
        return _TEMPLATES.get_template(name).render(values)
    except UndefinedError as error:
        raise LetterUnwritable(f"Its data are incomplete: {error.message}.") from error
