"""The files of a WSDL, a stranger's documents: read safely, from beside the WSDL, never from the network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from ajpes_reporting import shipped
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

WSDL = "http://schemas.xmlsoap.org/wsdl/"
XSD = "http://www.w3.org/2001/XMLSchema"

LARGEST_FILE_BYTES = 5_000_000
MOST_FILES = 50
_INCLUDED_INTO = "#included-into="

# Schemas that WSDLs name without bringing them along; a few declarations are all that is needed of each.
_SOAP_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XMLMIME = "http://www.w3.org/2005/05/xmlmime"
_XML = "http://www.w3.org/XML/1998/namespace"
_ON_BOARD = {
    _SOAP_ENCODING: f"""<xs:schema xmlns:xs="{XSD}" xmlns:t="{_SOAP_ENCODING}"
        targetNamespace="{_SOAP_ENCODING}">
      <xs:attribute name="arrayType" type="xs:string"/>
      <xs:complexType name="Array"><xs:sequence>
        <xs:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/></xs:sequence>
        <xs:attribute ref="t:arrayType"/></xs:complexType>
      {"".join(f'<xs:simpleType name="{name}"><xs:restriction base="xs:{base}"/></xs:simpleType>'
               for name, base in (("string", "string"), ("base64", "base64Binary"), ("int", "int"),
                                  ("base64Binary", "base64Binary"), ("boolean", "boolean")))}
      </xs:schema>""",
    _XMLMIME: f"""<xs:schema xmlns:xs="{XSD}" xmlns:t="{_XMLMIME}" targetNamespace="{_XMLMIME}">
      <xs:attribute name="contentType" type="xs:string"/>
      <xs:attribute name="expectedContentTypes" type="xs:string"/>
      <xs:complexType name="base64Binary"><xs:simpleContent><xs:extension base="xs:base64Binary">
        <xs:attribute ref="t:contentType"/></xs:extension></xs:simpleContent></xs:complexType>
      </xs:schema>""",
    _XML: f"""<xs:schema xmlns:xs="{XSD}" targetNamespace="{_XML}">
      <xs:attribute name="lang" type="xs:string"/><xs:attribute name="space" type="xs:string"/>
      <xs:attribute name="base" type="xs:string"/></xs:schema>""",
}  # fmt: skip
_NAMESPACES_AT = {
    "https://www.w3.org/2001/xml.xsd": _XML,
    "http://www.w3.org/2001/xml.xsd": _XML,
    "http://www.w3.org/2001/03/xml.xsd": _XML,
}
# The authority's own schemas, which its WSDL may only name.
_SHIPPED_SCHEMAS = {
    "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601": "nodurs-20100601.xsd",
}


class WsdlFiles:
    """Hands zeep the WSDL and what it imports from beside it, never from the network."""

    def __init__(self, wsdl: Path) -> None:
        from zeep.wsdl import bindings

        self._folder = wsdl.absolute().parent.resolve()
        self._left = MOST_FILES
        self.roots: list[etree._Element] = []
        # zeep would stumble over what an HTTP binding says, and it is not needed.
        self.binding_classes = [bindings.Soap11Binding, bindings.Soap12Binding]

    def load(self, url: str) -> bytes:
        """The content of a file, checked; zeep calls this for each."""
        address, _sign, includer = str(url).partition(_INCLUDED_INTO)
        if (known := on_board(address)) is not None:
            return known
        path = self._path(address)
        self._left -= 1
        if self._left < 0:
            raise ConfigurationError(
                _(
                    "The WSDL imports more than {count:count} files, or the same ones over and over.",
                    count=MOST_FILES,
                ),
                _("ask the authority for its WSDL in one piece"),
            )
        root = _adopted(parse_safely(read_bounded(path)), bytes.fromhex(includer).decode())
        if not self.roots and root.tag != f"{{{WSDL}}}definitions":
            raise ValueError(
                _(
                    "the file is no WSDL 1.1, its root element is {element}",
                    element=etree.QName(root).localname,
                )
            )
        self.roots.append(root)
        return _prepared(root)

    def _path(self, url: str) -> Path:
        """The file for an import; one with an address may lie beside the WSDL under its own name."""
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ftp"}:
            path = self._folder / _file_name(url)
            if not path.is_file():
                raise ConfigurationError(
                    _("The WSDL imports {url}; nothing is fetched from the network for it.", url=url),
                    _(
                        "save that file beside the WSDL, as {file}; `ajpes-reporting doctor --wsdl URL` "
                        "fetches a WSDL with all it imports",
                        file=path.name,
                    ),
                )
            return path
        # Tools on Windows write paths in their way.
        path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(url.replace("\\", "/"))
        if not path.resolve().is_relative_to(self._folder):
            raise ConfigurationError(
                _("The WSDL imports {url}, which lies outside of its folder.", url=url),
                _("put that file beside the WSDL and import it by its file name"),
            )
        return path


def _file_name(url: str) -> str:
    """Under which name somebody would save what is at an address: nodurs.xsd, or xsd0.xsd for ?xsd=xsd0."""
    parts = urlsplit(url)
    name = unquote(parts.path).rpartition("/")[2]
    if name.endswith((".xsd", ".wsdl")) or not parts.query:
        return name or "wsdl"
    return f"{parts.query.rpartition('=')[2]}.xsd".replace("/", "_")


def read_bounded(path: Path) -> bytes:
    """A file of a WSDL. Raises `OSError` or `ValueError` if it is no file, or too large."""
    if not path.is_file():
        raise FileNotFoundError(None, _("there is no file {path}", path=str(path)))
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise ValueError(
            _("{file} is larger than {count:count} bytes", file=path.name, count=LARGEST_FILE_BYTES)
        )
    return content


def parse_safely(content: bytes) -> etree._Element:
    """The root of a stranger's document. Raises `ValueError` for a DOCTYPE, and lxml's error."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    root = etree.fromstring(content, parser)
    if root.getroottree().docinfo.doctype:
        raise ValueError(_("the WSDL holds a document type (DOCTYPE), which is not read"))
    return root


def is_known(location: str, namespace: str) -> bool:
    """Whether an import is of a schema that comes with the program, wherever it is said to be."""
    return namespace in _ON_BOARD or _NAMESPACES_AT.get(location, location) in _ON_BOARD


def on_board(url: str) -> bytes | None:
    """A schema that everybody knows and that comes with the program, by its address."""
    address = str(url)
    namespace = _NAMESPACES_AT.get(address, address)
    if namespace in _ON_BOARD:
        return _ON_BOARD[namespace].encode()
    name = address.rpartition("/")[2]
    is_here = urlsplit(address).scheme in {"", "file"} and Path(address).is_file()
    if name in _SHIPPED_SCHEMAS.values() and not is_here:
        return shipped.schema(name).read_bytes()
    return None


def _prepared(root: etree._Element) -> bytes:
    """The document as zeep can read all of it.

    Imports that only name a namespace that we know get a place. What includes a file says into which
    namespace, for a file without one takes that of whoever includes it. A fixed value is a default.
    """
    schemas = [*root.iter(f"{{{XSD}}}schema")]
    defined = {schema.get("targetNamespace") for schema in schemas}
    for schema in schemas:
        for node in schema.iterchildren(f"{{{XSD}}}import", f"{{{XSD}}}include"):
            location, namespace = node.get("schemaLocation"), node.get("namespace", "")
            if node.tag == f"{{{XSD}}}include":
                own = schema.get("targetNamespace", "").encode().hex()
                node.set("schemaLocation", f"{location}{_INCLUDED_INTO}{own}")
            elif not location and namespace not in defined and (place := _known_place(namespace)):
                node.set("schemaLocation", place)
        for node in schema.iter(f"{{{XSD}}}element", f"{{{XSD}}}attribute"):
            if (fixed := node.get("fixed")) is not None:
                node.set("default", fixed)
    return etree.tostring(root)


def _known_place(namespace: str) -> str:
    if namespace in _SHIPPED_SCHEMAS:
        return f"https://www.ajpes.si/{_SHIPPED_SCHEMAS[namespace]}"
    return namespace if namespace in _ON_BOARD else ""


def _adopted(root: etree._Element, namespace: str) -> etree._Element:
    """An included schema without a namespace, in that of whoever includes it; zeep gets this wrong."""
    if not namespace or root.get("targetNamespace") or root.nsmap.get(None):
        return root
    adopted = etree.Element(root.tag, dict(root.attrib), {**root.nsmap, None: namespace})
    adopted.set("targetNamespace", namespace)
    adopted.extend(root)
    return adopted
