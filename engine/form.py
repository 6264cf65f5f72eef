"""The form of a document: made again where an older version stored none, or a backup left its pictures out.

The text stays as it is, to the letter: memory, talks and marks hang on it.
"""

from contextlib import suppress

from engine.errors import Failure
from engine.library import Library
from ingest.document import JSON_VERSION
from ingest.errors import BadInput


def lacks_form(library: Library, identifier: str) -> bool:
    """Tell whether a document was parsed before form was kept, or pictures of it are gone."""
    if not library.shelf.is_stored(identifier):
        return False
    if library.shelf.get(identifier).settings.get("form") != JSON_VERSION:
        return True
    names = {picture.name for picture in library.document(identifier).pictures if picture.name}
    folder = library.paths.pictures(identifier)
    return not all((folder / name).is_file() for name in names)


def renew_form(library: Library, identifier: str) -> bool:
    """Parse a document again for its form alone; tells whether it got one.

    It gets none where its file cannot be read again, or gives another text in this version.
    """
    with suppress(BadInput, Failure):
        library.shelf.check_source(identifier)
        document = library.intake.read(identifier)
        if document.text == library.document(identifier).text:
            library.keep(identifier, document)
            return True
    with suppress(BadInput, Failure):
        library.shelf.configure(identifier, form=JSON_VERSION)  # it is not tried at every opening
    return False
