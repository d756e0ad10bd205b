"""XML from elsewhere as a tree: no entities, no other encodings, no more elements than a mesh needs."""

from xml.etree import ElementTree

from nfgen.errors import ShapeError

from .limits import MAX_ELEMENTS, check_xml

Element = ElementTree.Element


class _Counted(ElementTree.TreeBuilder):
    elements = 0

    def start(self, tag, attributes):  # type: ignore[no-untyped-def]
        self.elements += 1
        if self.elements > MAX_ELEMENTS // 10:  # each takes 200 bytes or more
            raise ShapeError(f"has more than {MAX_ELEMENTS // 10:,} elements", "decimate the mesh")
        return super().start(tag.rpartition("}")[2], attributes)

    def end(self, tag):  # type: ignore[no-untyped-def]
        return super().end(tag.rpartition("}")[2])


def parse_xml(content: bytes) -> Element:
    """Give the root of a document, all names without their namespaces.

    Raises:
        ShapeError: it is refused (see `check_xml`), or has too many elements.
    """
    check_xml(content)
    parser = ElementTree.XMLParser(target=_Counted())
    parser.feed(content)
    return parser.close()
