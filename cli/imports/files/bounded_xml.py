"""XML of any quality and any intent, in bounded memory: read as it comes, without entities, without
a document type and without a look at any other place.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import create_parser

CHUNK = 1 << 16
DEPTH_MAX = 60
NAME_MAX = 200
# Bytes without an element or a text: one tag, one comment. The parser keeps all of it.
SILENCE_MAX = 1 << 20


class XmlError(Exception):
    """The XML can't be read, or only at a price; the text says why."""


class Watching(ContentHandler):
    """Hears what a parser finds; whoever inherits does something with it."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.heard = False
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - SAX's name
        """The parser tells where to ask for its place."""
        self._locator = locator

    @property
    def line(self) -> int:
        """Where the parser is."""
        return int(self._locator.getLineNumber() or 0) if self._locator else 0

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - SAX's name
        """Count, and refuse what nobody nests so deep."""
        self.heard = True
        self.depth += 1
        if self.depth > DEPTH_MAX or len(name) > NAME_MAX:
            what = f"nested more than {DEPTH_MAX} deep" if self.depth > DEPTH_MAX else "a long name"
            message = f"line {self.line}: {what}"
            raise XmlError(message)
        self.begin(name, attrs)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX's name
        """Count."""
        self.heard = True
        self.end(name)
        self.depth -= 1

    def characters(self, content: str) -> None:
        """Hand on; the parser cuts long texts into parts."""
        self.heard = True
        self.text(content)

    def begin(self, name: str, attrs: Any) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """It ends."""

    def text(self, found: str) -> None:
        """A part of its text."""


def parsed(chunks: Iterable[bytes], handler: Watching) -> Generator[None]:
    """Give the handler what these bytes hold, and control back after each. Raises XmlError."""
    parser = create_parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(handler)
    handler.setDocumentLocator(parser)  # which only a parser that is given a whole file does
    silence = 0
    try:
        for chunk in chunks:
            handler.heard = False
            parser.feed(chunk)
            silence = 0 if handler.heard else silence + len(chunk)
            if silence > SILENCE_MAX:
                message = (
                    f"line {handler.line}: one tag or comment of more than {SILENCE_MAX:,} bytes"
                )
                raise XmlError(message)
            yield
        parser.close()
        yield
    except DefusedXmlException as error:
        message = (
            "it has a document type (DOCTYPE) or entities, which are never read: take them out"
        )
        raise XmlError(message) from error
    except SAXParseException as error:
        message = f"line {error.getLineNumber()}: is no XML: {error.getMessage()}"
        raise XmlError(message) from error
    except (SAXException, UnicodeError, LookupError, ValueError) as error:
        message = f"is no XML that can be read: {error}"
        raise XmlError(message) from error
