"""What libraries say of a file is told in our own words; what nobody foresaw is quoted."""

import csv
import tomllib

import pytest
from lxml import etree

from ajpes_reporting.i18n import Message
from ajpes_reporting.i18n.libraries import csv_reason, schema_reason, toml_reason, xml_reason

NO_XML = {
    b"": "there is nothing in it",
    b"hello": "its text begins without a tag",
    b"<a><1/></a>": "a tag has no valid name",
    b"<a><b>": "the end is missing",
    b"<a>\n<b></a>": "element b, which begins in line 2, ends as a",
    b"<a><b": "the tag of element b has no end",
    b"<a/><b/>": "something follows after the end",
    b"<a>A & B</a>": "an ampersand stands alone",
    b"<a>&eacute;</a>": "nobody says what &eacute; means",
    b"<a b=c/>": "the value of an attribute has no quotation marks",
    b"<a b='1' b='2'/>": "attribute b stands in a tag twice",
    b"<a>\x01</a>": "it holds a character that XML forbids",
    b"<a>\xe8</a>": "its bytes are not UTF-8",
    b" <?xml version='1.0'?><a/>": "something stands before the XML declaration",
}
NO_TOML = {
    "a = b": "the value is not well written; texts stand in quotation marks (line 1, column 5)",
    "[a": "the closing bracket ] is missing (at the end of the file)",
    "a = 1\nb\nc = 2": "after a name there must be = (line 2, column 2)",
    "a": "after a name there must be = (at the end of the file)",
    'a = "b': "the closing quotation mark is missing",
    "a = 1\na = 2": "this setting stands there twice",
    "[a]\n[a]": "section 'a' stands there twice",
    "a = 1 2": "something follows after the value",
}


@pytest.mark.parametrize(("content", "told"), NO_XML.items())
def test_the_commonest_faults_of_xml_have_words_of_our_own(content: bytes, told: str) -> None:
    """Protects a clerk from the English of libxml2, which says it otherwise in another version."""
    with pytest.raises(etree.XMLSyntaxError) as raised:
        etree.fromstring(content)
    assert str(xml_reason(str(raised.value))).startswith(told), raised.value


@pytest.mark.parametrize(("text", "told"), NO_TOML.items())
def test_the_commonest_faults_of_settings_have_words_of_our_own(text: str, told: str) -> None:
    """Protects an administrator who forgot a quotation mark: he reads where, in his language."""
    with pytest.raises(tomllib.TOMLDecodeError) as raised:
        tomllib.loads(text)
    assert str(toml_reason(str(raised.value))).startswith(told), raised.value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"a"b,c\n', "a value goes on after its closing quotation mark"),
        ('"a,c\n', "a quotation mark is not closed"),
    ],
)
def test_the_commonest_faults_of_csv_have_words_of_our_own(line: str, told: str) -> None:
    """Protects a clerk whose spreadsheet wrote half a quotation."""
    with pytest.raises(csv.Error) as raised:
        list(csv.reader([line], strict=True))
    assert csv_reason(str(raised.value)) == told


def test_what_nobody_foresaw_is_quoted() -> None:
    """Protects a reader from foreign words that look like ours."""
    told = schema_reason("something new")
    assert isinstance(told, Message)
    assert (str(told), told.told_in("sl")) == ("'something new'", "»something new«")
