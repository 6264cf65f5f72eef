"""Package: the parts of a DOCX or PPTX, found by their relationships and not by their usual names."""

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote

from ingest.archive import Archive
from ingest.source import Source
from ingest.xmlparts import read_xml, value


@dataclass(frozen=True)
class Relation:
    """What one part refers to: `kind` is the last word of its type, `target` a name in the archive or, where
    `external`, an address."""

    kind: str
    target: str
    external: bool


class Package:
    """Parts of one archive as trees. `damaged` gathers the names of parts that are not sound XML."""

    def __init__(self, source: Source, what: str):
        self.archive = Archive(source.data, source.limits, what)
        self.limits = source.limits
        self.damaged: list[str] = []
        self._relations: dict[str, dict[str, Relation]] = {}

    def main(self, usual: str) -> str:
        """Name the part that holds the document itself; the usual one where nothing says so."""
        named = self.related("", "officeDocument")
        if named in self.archive:
            return named
        folder, _, name = usual.rpartition("/")
        stem = name.removesuffix(".xml")
        others = [
            found
            for found in self.archive.names()
            if found.startswith(f"{folder}/{stem}") and found.endswith(".xml")
        ]
        return usual if usual in self.archive or not others else others[0]

    def xml(self, name: str):
        """Parse the tree of a part; None when it is missing or cannot be read. Raises BadInput at a cap."""
        data = self.archive.read(name) if name else None
        if data is None:
            if name in self.archive:
                self.damaged.append(name)
            return None
        root, sound = read_xml(data, self.limits)
        if not sound:
            self.damaged.append(name)
        return root

    def relations(self, part: str) -> dict[str, Relation]:
        """Return what a part refers to, by relationship ids; the package itself for ""."""
        if part not in self._relations:
            self._relations[part] = self._read_relations(part)
        return self._relations[part]

    def _read_relations(self, part: str) -> dict[str, Relation]:
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        found = {}
        for item in () if root is None else root.iter("{*}Relationship"):
            external = value(item, "TargetMode") == "External"
            target = value(item, "Target")
            if not external:
                target = posixpath.normpath(posixpath.join("/" + folder, unquote(target))).lstrip("/")
            found[value(item, "Id")] = Relation(value(item, "Type").rpartition("/")[2], target, external)
        return found

    def related(self, part: str, kind: str) -> str:
        """Name the first part of a kind that `part` refers to; "" when there is none."""
        return next(
            (
                item.target
                for item in self.relations(part).values()
                if item.kind == kind and not item.external
            ),
            "",
        )

    def target(self, part: str, relation: str) -> str:
        """Name the part that `part` refers to by this id; "" where there is none, or one outside the file."""
        found = self.relations(part).get(relation)
        return "" if found is None or found.external else found.target
