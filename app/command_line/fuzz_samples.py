# ruff: noqa: E501  markup, whose lines are as long as they are
"""What `bench fuzz` begins with: one small sound file of each format, with as many of its means as fit.

A file is a dictionary of parts; `packed` makes bytes of them. A format of one part has it under "".
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from functools import cache

import pymupdf

Parts = dict[str, bytes]
WORDS = (
    "Old Tobias kept the lamp of the northern lighthouse. He had a grey cat called Pepper, who slept there."
)
PNG = pymupdf.Pixmap(pymupdf.csGRAY, 2, 2, bytes(4), False).tobytes("png")
TEXT_FIELD = 7  # PyMuPDF's number for it

PAGE = f"""<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html [<!ENTITY a "word &amp; "><!ENTITY b "&a;&a;">]>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en"><head>
<meta charset="utf-8"/><title>The Lamp</title><style>p {{color: red}} .x {{display: none}}</style></head><body>
<h1 id="h1">One: The <i>Lamp</i></h1><p class="x" style="display:block">{WORDS} <a href="#n1" epub:type="noteref">1</a>
<sup><a href="#n2">2</a></sup> &b; &#233; &#x1F600;<br/>and <em>on</em> <span epub:type="pagebreak" title="7"/></p>
<ul><li>first<ol start="3" type="i"><li value="5">inner</li></ol></li></ul><dl><dt>a</dt><dd>b</dd></dl>
<table><caption>c</caption><thead><tr><th colspan="2" rowspan="2">x</th></tr></thead><tr><td>1</td></tr></table>
<blockquote><pre>poem
  line</pre></blockquote><h2>Two</h2><div hidden="">no</div><details><summary>s</summary>d</details>
<img src="a.png" alt="a picture" longdesc="#h1"/><figure><svg viewBox="0 0 9 9"><text x="1">drawn</text></svg></figure>
<math><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac></math><ruby>x<rt>y</rt></ruby><h3>Three</h3>
<aside epub:type="footnote" id="n1"><p>A note. <a href="#h1">back</a></p></aside><p id="n2">Another. {WORDS}</p>
<select><option>o</option></select><textarea>t</textarea><script>let a = "&lt;b&gt;"</script><noscript>n</noscript>
<template><p>t</p></template><![CDATA[cut]]><!-- words --></body></html>"""

MARKDOWN = f"""---
title: The Lamp
---
# One *two* `three`

{WORDS} [a link](http://a.example "t") ![p](a.png) [^1] <b>bold</b> **a** __b__ ~~c~~ \\* &amp; <http://a.example>

> quoted
> > twice

- item
  1. inner
     * deep
- [ ] task

| a | b |
|---|:-:|
| 1 | 2 |

Two
===

```python
x = 1
```

Term
: meaning

[^1]: A note.
[ref]: http://a.example 'title'

Three
-----

***

$$a^2$$ and $b$

    code
"""

TEXT = f"""THE LAMP

by A. Writer

CONTENTS

CHAPTER I. The Storm .... 3
CHAPTER II .............. 9

CHAPTER I.
The Storm

  {WORDS}

  "Well," he said -- "it is late_ly_ hyphen-
ated, [Footnote 1: a note] 1) one; 2) two."

* * *

CHAPTER II

{WORDS} {WORDS}

第一章 风暴

ROMAN IV

THE END
"""

RTF = (
    r"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 A;}}"
    r"{\stylesheet{\s1\outlinelevel0 heading 1;}{\s2\sbasedon1 b;}}{\colortbl;\red0\green0\blue0;}"
    r"{\info{\title The Lamp}{\author A. Writer}}{\header h\par}\pard\s1\outlinelevel0 One\par\pard\plain "
    r"Words \b bold\b0 \'e9\u233?\u-10179?\u-8704?\emdash\tab{\footnote\pard a note\par}{\field{\*\fldinst"
    r" HYPERLINK}{\fldrslt link}}{\pict\pngblip\bin4 abcd}{\*\unknown x}{\upr{a}{\*\ud b}}\par"
    r"\trowd\cellx100\intbl a\cell b\cell\row\itap2\intbl n\nestcell{\nonesttables z}{\*\nesttableprops\nestrow}"
    r"{\listtext 1.\tab}item\par{\shp{\*\shpinst{\shptxt box\par}{\sp{\sn pib}{\sv x}}}{\shprslt r}}"
    r"{\object{\*\objdata 00}{\result r}}\sect\page{\xe{index}}\f1\'c0\lang1049 " + WORDS + r"\par}"
)

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _relations(**targets: str) -> str:
    lines = (
        f'<Relationship Id="{identity}" Type="{OFFICE}/{target.partition(" ")[0]}" '
        f'Target="{target.partition(" ")[2]}"/>'
        for identity, target in targets.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{"".join(lines)}</Relationships>'


DOCX = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    "_rels/.rels": _relations(r1="officeDocument word/document.xml"),
    "word/_rels/document.xml.rels": _relations(
        r1="image media/a.png", r2="aFChunk chunk.html", r3="footnotes footnotes.xml", r4="styles styles.xml"
    ),
    "word/chunk.html": "<html><body><p>A chunk.</p></body></html>",
    "word/document.xml": f'<w:document xmlns:w="{W}" xmlns:r="{OFFICE}" xmlns:a="urn:a" xmlns:m="urn:m" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:body>'
    '<w:p><w:pPr><w:pStyle w:val="Heading1"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr>'
    '<w:bookmarkStart w:id="1" w:name="b1"/><w:r><w:t>One</w:t></w:r></w:p>'
    f'<w:p><w:r><w:rPr><w:b/><w:vertAlign w:val="superscript"/></w:rPr><w:t xml:space="preserve">{WORDS}</w:t>'
    '<w:tab/><w:br w:type="page"/><w:footnoteReference w:id="2"/></w:r><w:hyperlink w:anchor="b1" r:id="r1"><w:r>'
    "<w:t>link</w:t></w:r></w:hyperlink><w:ins><w:r><w:t>in</w:t></w:r></w:ins><w:del><w:r><w:delText>out"
    "</w:delText></w:r></w:del><mc:AlternateContent><mc:Choice><w:r><w:drawing><w:txbxContent><w:p><w:r><w:t>box"
    "</w:t></w:r></w:p></w:txbxContent></w:drawing></w:r></mc:Choice><mc:Fallback><w:r><w:t>old</w:t></w:r>"
    '</mc:Fallback></mc:AlternateContent><w:r><w:drawing><a:blip r:embed="r1"/></w:drawing></w:r><m:oMath><m:f>'
    "<m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath></w:p><w:tbl><w:tr>"
    '<w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p><w:r><w:t>cell</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r>'
    "<w:t>inner</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl><w:sdt><w:sdtContent><w:p><w:r>"
    '<w:fldChar w:fldCharType="begin"/><w:instrText>TOC</w:instrText><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    '</w:sdtContent></w:sdt><w:altChunk r:id="r2"/></w:body></w:document>',
    "word/styles.xml": f'<w:styles xmlns:w="{W}"><w:style w:styleId="Heading1"><w:name w:val="heading 1"/>'
    '<w:basedOn w:val="Base"/></w:style><w:style w:styleId="Base"><w:name w:val="x"/><w:basedOn w:val="Heading1"/>'
    '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style></w:styles>',
    "word/numbering.xml": f'<w:numbering xmlns:w="{W}"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">'
    '<w:start w:val="1"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1.%2"/></w:lvl></w:abstractNum><w:num '
    'w:numId="1"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="3"/></w:lvlOverride>'
    "</w:num></w:numbering>",
    "word/footnotes.xml": f'<w:footnotes xmlns:w="{W}"><w:footnote w:id="2"><w:p><w:r><w:t>A note.</w:t></w:r>'
    '<w:r><w:footnoteReference w:id="2"/></w:r></w:p></w:footnote></w:footnotes>',
    "word/media/a.png": PNG,
}

EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
    "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title id="t">A Book</dc:title><dc:creator id="c">A. Writer'
    '</dc:creator><dc:language>en</dc:language><meta refines="#c" property="role">aut</meta></metadata><manifest>'
    '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="n" href="toc.ncx" '
    'media-type="application/x-dtbncx+xml"/><item id="d1" href="one.xhtml" media-type="application/xhtml+xml"/><item '
    'id="d2" href="two.xhtml" media-type="application/xhtml+xml"/><item id="p" href="a.png" media-type="image/png" '
    'properties="cover-image"/></manifest><spine toc="n"><itemref idref="d1"/><itemref idref="d2"/></spine><guide>'
    '<reference type="text" href="one.xhtml"/></guide></package>',
    "OPS/nav.xhtml": '<html xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol><li><a '
    'href="one.xhtml">One</a><ol><li><span>Part</span></li><li><a href="two.xhtml#h1">Two</a></li></ol></li></ol></nav>'
    '<nav epub:type="page-list"><ol><li><a href="one.xhtml#h1">7</a></li></ol></nav></body></html>',
    "OPS/toc.ncx": '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>One</text>'
    '</navLabel><content src="one.xhtml"/><navPoint><navLabel><text>Two</text></navLabel><content src="two.xhtml"/>'
    '</navPoint></navPoint></navMap><pageList><pageTarget value="7"><navLabel><text>7</text></navLabel><content '
    'src="one.xhtml#h1"/></pageTarget></pageList></ncx>',
    "OPS/one.xhtml": PAGE,
    "OPS/two.xhtml": f"<html><body><h1 id='h1'>Two</h1><p>{WORDS}</p></body></html>",
    "OPS/a.png": PNG,
}

TEXT_SPACE = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
ODT = {
    "mimetype": "application/vnd.oasis.opendocument.text",
    "META-INF/manifest.xml": "<manifest/>",
    "content.xml": '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    f'{TEXT_SPACE} xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:d" xmlns:xlink="urn:x" '
    'xmlns:style="urn:s"><office:automatic-styles><style:style style:name="P1" style:parent-style-name="P2"/>'
    '<style:style style:name="P2" style:parent-style-name="P1" style:list-style-name="L1"/><text:list-style '
    'style:name="L1"><text:list-level-style-number text:level="1" text:display-levels="2" style:num-format="I" '
    'style:num-suffix="."/></text:list-style></office:automatic-styles><office:body><office:text><text:h '
    f'text:outline-level="1">One</text:h><text:p text:style-name="P1">{WORDS}<text:s text:c="3"/><text:tab/><text:note '
    'text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p>'
    '</text:note-body></text:note><text:line-break/><text:span text:style-name="P2">in</text:span><text:a '
    'xlink:href="#One">link</text:a><text:bookmark text:name="b"/></text:p><text:list text:style-name="L1"><text:list-item '
    'text:start-value="4"><text:p>item</text:p><text:list text:continue-numbering="true"><text:list-item><text:p>inner'
    "</text:p></text:list-item></text:list></text:list-item></text:list><table:table><table:table-row "
    'table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="4" table:number-columns-spanned="2">'
    "<text:p>cell</text:p></table:table-cell></table:table-row></table:table><draw:frame><draw:text-box><text:p>box"
    "</text:p></draw:text-box></draw:frame><text:section><text:p>end</text:p></text:section><text:tracked-changes>"
    "<text:p>gone</text:p></text:tracked-changes></office:text></office:body></office:document-content>",
    "styles.xml": f'<styles xmlns:style="urn:s" {TEXT_SPACE}><text:outline-style><text:outline-level-style text:level="1"/>'
    "</text:outline-style></styles>",
    "meta.xml": "<a><meta><title>The Lamp</title><language>en</language></meta></a>",
}

SLIDE = (
    '<p:sld xmlns:p="urn:p" xmlns:a="urn:a"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/></p:nvPr>'
    "</p:nvSpPr><p:txBody><a:p><a:r><a:t>Title</a:t></a:r></a:p></p:txBody></p:sp><p:grpSp><p:sp><p:txBody><a:p><a:r>"
    f"<a:t>{WORDS}</a:t></a:r><a:br/></a:p></p:txBody></p:sp></p:grpSp><p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p>"
    "<a:r><a:t>cell</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame></p:spTree></p:cSld></p:sld>"
)
PPTX = {
    "[Content_Types].xml": DOCX["[Content_Types].xml"],
    "_rels/.rels": _relations(r1="officeDocument ppt/presentation.xml"),
    "ppt/presentation.xml": f'<p:presentation xmlns:p="urn:p" xmlns:r="{OFFICE}"><p:sldIdLst><p:sldId id="1" r:id="r1"/>'
    '<p:sldId id="2" r:id="r2"/></p:sldIdLst></p:presentation>',
    "ppt/_rels/presentation.xml.rels": _relations(r1="slide slides/slide1.xml", r2="slide slides/slide2.xml"),
    "ppt/slides/slide1.xml": SLIDE,
    "ppt/slides/slide2.xml": SLIDE,
    "ppt/slides/_rels/slide1.xml.rels": _relations(r1="notesSlide ../notesSlides/n1.xml"),
    "ppt/notesSlides/n1.xml": SLIDE,
}

FB2 = (
    '<?xml version="1.0" encoding="utf-8"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" '
    'xmlns:l="http://www.w3.org/1999/xlink"><description><title-info><author><first-name>A.</first-name><last-name>Writer'
    "</last-name></author><book-title>The Lamp</book-title><lang>en</lang></title-info></description><body><title><p>Lamp"
    f'</p></title><section id="s1"><title><p>One</p></title><epigraph><p>e</p></epigraph><p>{WORDS} <a l:href="#n1" '
    'type="note">1</a></p><poem><title><p>t</p></title><stanza><v>a line</v></stanza></poem><cite><p>c</p><text-author>x'
    '</text-author></cite><table><tr><th>a</th><td>b</td></tr></table><empty-line/><subtitle>s</subtitle><image l:href="#a"/>'
    '<section><p>inner</p></section></section></body><body name="notes"><title><p>Notes</p></title><section id="n1"><title>'
    '<p>1</p></title><p>A note <a l:href="#n1">1</a>.</p></section></body><binary id="a" content-type="image/png">iVBO'
    "</binary></FictionBook>"
)

MHTML = (
    "From: <Saved>\r\nSubject: =?utf-8?q?The_Lamp?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; type=\"text/html\";"
    ' boundary="bb"\r\n\r\n--bb\r\nContent-Type: multipart/alternative; boundary="cc"\r\n\r\n--cc\r\nContent-Type: text/plain\r\n'
    "\r\nx\r\n--cc--\r\n--bb\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    f"<html><body><h1>One</h1><p>{WORDS}=20=C3=A9=\r\n</p></body></html>\r\n--bb\r\nContent-Type: image/png\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n--bb--\r\n"
)  # fmt: skip

MAIL = (
    "From a@b.c Mon Mar  1 10:00:00 2021\r\nFrom: =?utf-8?q?A=2E?= <a@b.c>\r\nTo: d@e.f\r\nSubject: =?utf-8?b?VGhlIExhbXA=?=\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="bb"\r\n\r\n--bb\r\nContent-Type: multipart/alternative;'
    ' boundary=cc\r\n\r\n--cc\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSXQgaXMg\r\n'
    "bGF0ZS4=\r\n--cc\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    f"<p>{WORDS}=20=C3=A9=\r\n</p>\r\n--cc--\r\n--bb\r\nContent-Type: message/rfc822\r\n\r\nSubject: Re\r\n\r\n> x\r\n>> y\r\n"
    '--bb\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="a.png"\r\n\r\nx\r\n--bb--\r\n\r\n'
    "From d@e.f Mon Mar  1 11:00:00 2021\r\nSubject: Two\r\n\r\n>From here.\r\n"
)  # fmt: skip

CSV = 'sep=,\ntext,label,"a ""quoted"" one"\n"It is late,\nvery late",good,1\nno;bad|x\tz,bad,2\n\n'
JSONL = (
    '{"text": "a\\u00e9", "label": ["x", {"y": 1e9}], "n": null}\n{"text": "b", "label": true, "n": -0.5}\n'
)


def _mobi() -> bytes:
    page = (
        f'<html><head><guide><reference type="toc" filepos=0000000150 /></guide></head><body><p><a filepos=0000000320>One'
        f'</a></p><p><a filepos=0000000360>Two</a></p><mbp:pagebreak/><h1>One</h1><p>{WORDS}</p><h2>Two</h2><p>{WORDS}</p>'
    )  # fmt: skip
    text = page.encode()
    records = [text[at : at + 200] for at in range(0, len(text), 200)]
    exth = b"EXTH" + struct.pack(">II", 32, 1) + struct.pack(">II", 100, 16) + b"A.Writer"
    name = b"The Lamp"
    mobi = bytearray(232)
    mobi[:4] = b"MOBI"
    struct.pack_into(">IIII", mobi, 4, 232, 2, 65001, 1)
    struct.pack_into(">I", mobi, 20, 6)
    struct.pack_into(">II", mobi, 68, 16 + 232 + len(exth), len(name))
    head = struct.pack(">HHIHHHH", 2, 0, len(text), len(records), 200, 0, 0) + bytes(mobi) + exth + name
    whole = [head, *records]
    at = 78 + 8 * len(whole) + 2
    listing = b""
    for number, record in enumerate(whole):
        listing += struct.pack(">II", at, number)
        at += len(record)
    title = b"The_Lamp".ljust(32, b"\0") + bytes(28) + b"BOOKMOBI" + bytes(8) + struct.pack(">H", len(whole))
    return title + listing + b"\0\0" + b"".join(whole)


def _pdf() -> bytes:
    """Make a PDF whose every object stands in plain letters, so that a change of one reaches it."""
    book = pymupdf.open()
    for number in range(3):
        leaf = book.new_page(width=300, height=400)
        leaf.insert_text((40, 20), f"The Lamp {number}", fontsize=8)
        leaf.insert_textbox((40, 40, 260, 300), f"CHAPTER {number}\n\n{WORDS} {WORDS}", fontsize=10)
        leaf.insert_link({"kind": pymupdf.LINK_GOTO, "page": 0, "from": pymupdf.Rect(40, 40, 80, 60)})
    field = pymupdf.Widget()
    field.field_name, field.field_type = "name", TEXT_FIELD
    field.field_value, field.rect = "value", pymupdf.Rect(40, 320, 200, 340)
    book[0].add_widget(field)
    book[1].insert_image((40, 320, 80, 360), stream=PNG)
    book[2].add_freetext_annot((40, 320, 200, 360), "a remark")
    book.set_toc([[1, "One", 1], [2, "Two", 2], [1, "Three", 3]])
    book.set_page_labels([{"startpage": 0, "style": "r"}, {"startpage": 1, "style": "D", "prefix": "A-"}])
    book.set_metadata({"title": "The Lamp", "author": "A. Writer"})
    return book.tobytes(expand=255, ascii=True, no_new_id=True)


@cache
def samples() -> dict[str, tuple[str, Parts]]:
    """Return for each format the ending of its files and the parts of a sound one."""
    mono: dict[str, tuple[str, str | bytes]] = {
        "text": (".txt", TEXT),
        "markdown": (".md", MARKDOWN),
        "html": (".html", PAGE),
        "mhtml": (".mhtml", MHTML),
        "mail": (".mbox", MAIL),
        "fb2": (".fb2", FB2),
        "rtf": (".rtf", RTF),
        "mobi": (".mobi", _mobi()),
        "pdf": (".pdf", _pdf()),
        "csv": (".csv", CSV),
        "jsonl": (".jsonl", JSONL),
    }
    many: dict[str, Mapping[str, str | bytes]] = {"docx": DOCX, "epub": EPUB, "odt": ODT, "pptx": PPTX}
    found: dict[str, tuple[str, Parts]] = {
        name: (end, {"": _bytes(text)}) for name, (end, text) in mono.items()
    }
    for name, parts in many.items():
        found[name] = f".{name}", {part: _bytes(text) for part, text in parts.items()}
    return found


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def packed(parts: Parts) -> bytes:
    """Return the file that these parts make: a ZIP archive, but for a single part without a name."""
    if list(parts) == [""]:
        return parts[""]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if name != "mimetype" else 0)
    return stream.getvalue()
