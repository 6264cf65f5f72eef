"""What the sample documents must give, one row a file: the table every parser is tested with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`error` holds words of the BadInput; all else describes the Document ("" or None = not asked)."""

    file: str
    title: str = ""
    author: str = ""
    language: str = ""
    chapters: tuple[str, ...] | int | None = None  # the first titles, or how many there are
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    warning: str = ""
    password: str | None = None
    words: int | None = None
    places: tuple[tuple[str, str], ...] = ()  # words of the text, and where they stand


def ferry(file: str, words: int, *, language: str = "en", **other) -> Row:
    """One short story, written in most formats: what its row must say in each is the same."""
    told = {
        "chapters": ("The Landing", "The Timetable", "Low Water"),
        "include": ("called Patience.", "Tide | Hour | Fare\nHigh | 6:10 | 4 pence\n", "• the rope,"),
        "places": (
            ("eight people", "The Landing, paragraph 2"),
            ("painted it", "The Timetable, paragraph 3"),
            ("want its river back", "Low Water, paragraph 6"),
        ),
    }
    return Row(file, "The Ferry at Low Water", "Ida Holm", language, words=words, **(told | other))


# files of tests/data, which anyone has; its README says what each is
OWN_ROWS = (
    Row(
        "alice.epub",
        "Alice’s Adventures in Wonderland",
        "Lewis Carroll",
        "en-GB",
        ("Titlepage", "I: Down the Rabbit-Hole", "II: The Pool of Tears"),
        ("By Lewis Carroll.\n\nI: Down the Rabbit-Hole\n\nAlice was",),
        ("\u2060", "<em>"),
        words=4248,
        places=(("White Rabbit with pink eyes", "Chapter I, paragraph 2"),),
    ),
    ferry(
        "ferry.docx",
        220,
        include=("three people and a cow.[1] On Sundays", "\n\n[1] The cow paid as two.\n\n"),
    ),
    ferry("ferry.odt", 220),
    ferry("ferry.rtf", 220, language=""),
    ferry("ferry.md", 220, exclude=("*", "|---", "[^1]")),
    ferry("ferry.fb2", 225, include=("\n\n[1] The cow paid as two.\n\n",)),
    ferry("ferry.html", 225, exclude=("All stories", "document.title")),
    ferry(
        "ferry.txt",
        226,
        language="",
        chapters=("CHAPTER I. THE LANDING", "CHAPTER II. THE TIMETABLE", "CHAPTER III. LOW WATER"),
        include=("the mill for thirty-one years. She kept it", "\n- the rope,\n"),
        places=(
            ("eight people", "Chapter I, paragraph 2"),
            ("want its river back", "Chapter III, paragraph 4"),
        ),
    ),
    ferry(
        "ferry.pdf",
        229,
        include=("the mill for thirty-one years. She kept it", "• the rope,"),
        exclude=("1\n", "Ida Holm\n\nThe"),
        places=(("eight people", "page 1"), ("want its river back", "page 3")),
    ),
    ferry(
        "ferry.pptx",
        44,
        chapters=("The Ferry at Low Water", "Who may cross", "What was taken out of the boat"),
        include=("Notes: The cow paid as two.",),
        places=(("The rope", "page 3"),),
    ),
    Row("crossings.csv", words=21, include=('1911-06-04,,0,"Sunday: nobody crossed"',)),
)

# the shared sample documents, which not every machine has
SHARED_ROWS = (
    # --- EPUB ---
    Row(
        "epub/epubcheck--minimal.epub",
        "Minimal EPUB 3.0",
        language="en",
        chapters=1,
        include=("Loomings\n\nCall me",),
    ),
    Row("epub/epubcheck--ocf-minimal-valid.epub", "Minimal EPUB 2.0", chapters=("Loomings",)),
    Row("epub/epubcheck--ocf-mimetype-file-missing-error.epub", include=("Call me Ishmael.",)),
    Row("epub/epubcheck--ocf-filename-not-utf8-error.epub", include=("Call me Ishmael.",)),
    Row(
        "epub/epubcheck--ocf-container-not-ocf-error.epub",
        include=("Test File",),
        warning="is a Word document",
    ),
    Row("epub/epubcheck--ocf-zip-unreadable-image-with-epub-extension-fatal.epub", error=("JPEG picture",)),
    Row("epub/epubcheck--ocf-zip-unreadable-no-end-header-fatal.epub", error=("damaged", "another copy")),
    Row("epub/epubcheck--wrong_extension.ePub", "Minimal EPUB 3.0", include=("Call me Ishmael.",)),
    Row(
        "epub/epubjs--alice.epub",
        "Alice's Adventures in Wonderland",
        "Lewis Carroll",
        "en-US",
        ("Title Page", "Down The Rabbit-Hole", "The Pool Of Tears"),
        ("Alice was beginning to get very tired of sitting by her sister",),
        ("<p>", "&nbsp;"),
    ),
    Row(
        "epub/epublib--testbook1.epub",
        "Epublib test book 1",
        "Joe Tester",
        chapters=("Chapter 1", "Second chapter"),
    ),
    Row("epub/kotlin--epub.epub", "Children's Literature", chapters=31, include=("Hans Christian Andersen",)),
    Row(
        "epub/pymupdf--test_3493.epub",
        chapters=15,
        include=("CHAPTER XII. | Alice’s Evidence",),
        exclude=("<div",),
    ),
    Row("epub/readium-css--chinese.epub", "汉语 (zh)", language="zh", include=("漢語，書寫可称汉文",)),
    Row("epub/readium-css--hebrew.epub", language="he", include=("הייתה ספינת מלחמה",)),
    Row("epub/readium-css--tibetan.epub", language="bo", chapters=9, include=("བོད",)),
    Row(
        "epub/unstructured--winter-sports.epub", author="E. F. Benson", include=("For Parents and Guardians",)
    ),
    Row("epub/markitdown--test.epub", "Test EPUB Document", "Test Author", include=("• A bullet point",)),
    Row(
        "novels/p-g-wodehouse_love-among-the-chickens.epub",
        "Love Among the Chickens",
        "P. G. Wodehouse",
        "en-GB",
        29,
        ("I: A Letter with a Postscript\n\n“A gentleman called to see you when you were out last night,",),
        ("\u2060", "\u00a0", "<abbr"),
    ),
    Row(
        "novels/herman-melville_moby-dick.epub",
        "Moby Dick",
        "Herman Melville",
        chapters=145,
        include=("higher into the air.[22] So, in a gale", "Endnotes\n\n1. See subsequent chapters"),
        exclude=("↩",),
    ),
    Row(
        "novels/samuel-pepys_the-diary.epub",
        "The Diary",
        "Samuel Pepys",
        chapters=123,
        include=("Mr. Bright",),
    ),
    # --- PDF ---
    Row("pdf/ocrmypdf--graph.pdf", error=("looks scanned", "OCR")),
    Row("pdf/pdfplumber--issue-203-decimalize.pdf", error=("looks scanned", "0 of 3 pages have text")),
    Row("pdf/ocrmypdf--type3_font_nomapping.pdf", error=("fonts", "OCR")),
    Row("pdf/pypdf--crazyones-encrypted-256.pdf", error=("encrypted", "--password")),
    Row("pdf/pypdf-samples--libreoffice-writer-password.pdf", error=("password",), password="wrong"),
    Row(
        "pdf/pypdf-samples--libreoffice-writer-password.pdf",
        password="openpassword",
        include=("Lorem ipsum",),
    ),
    Row("pdf/pypdf--r6-user-password.pdf", password="asdfzxcv", include=("encryption test",)),
    Row("pdf/pypdf--r6-empty-password.pdf", include=("encryption test",)),
    Row("pdf/pymupdf--test_toc_count.pdf", error=("no text",)),
    Row(
        "pdf/pymupdf--test_4423.pdf",
        warning="looks scanned in part: 1 of 3 pages",
        include=("Service Request",),
    ),
    Row(
        "pdf/pypdf-samples--multicolumn.pdf",
        "Two-Column Document with Lorem Ipsum",
        include=("Nulla malesuada porttitor diam. Donec felis erat, congue non, volutpat at",),
    ),
    Row(
        "pdf/pymupdf--test_4435.pdf",
        include=(
            "Guided by trial and error, skilled craftsmen have managed to develop",
            "the modifications tested by the instrument makers have been limited to relatively small changes",
        ),
    ),
    Row(
        "pdf/pypdf-samples--pdflatex-outline.pdf",
        chapters=("Foo", "Bar", "Baz"),
        include=("1 Foo\n\nHello, here",),
    ),
    Row(
        "pdf/ocrmypdf--tagged.pdf",
        "Tagged PDF Demo",
        language="en-CA",
        chapters=("Heading", "Page 2 Heading"),
    ),
    Row(
        "pdf/pdfplumber--issue-316-example.pdf",
        "Shift work interventions for reduced work-family conflict",
        include=("Frone et al. (1992) and are explained as an example of the role spillover model",),
    ),
    Row(
        "pdf/pdfplumber--issue-848.pdf",
        include=("critically injured in an attack by unofficial Old Detroit",),
    ),
    Row("pdf/pymupdf--small-table.pdf", include=("Noble gases | -269 | -62 | -170.5\nNonmetals",)),
    Row("pdf/unstructured--rotated-page-90.pdf", include=("Second line of text here",)),
    Row("pdf/unstructured--korean-text-with-tables.pdf", language="ko", include=("모든 주유소",)),
    Row("pdf/pypdf-samples--crazyones-pdfa.pdf", include=("not fond of rules. And they have no respect",)),
    # --- text ---
    Row("txt/unstructured--fake-text-utf-16.txt", include=("Doylestown, PA 18901",), exclude=("\0",)),
    Row("txt/unstructured--fake-text-utf-16-le.txt", include=("Doylestown",), warning="utf-16-le"),
    Row("txt/unstructured--fake-text-utf-16-be.txt", include=("Doylestown",), warning="utf-16-be"),
    Row("txt/unstructured--UDHR_first_article_all.txt", include=("是人都生而自由", "(Jinan)\n")),
    Row("txt/unstructured--fake-incomplete-json.txt", include=('\n  "name": "John Doe",',)),
    Row("txt/unstructured--norwich-city.txt", include=("Iwan Roberts",)),
    # --- HTML ---
    Row("html/epub3-samples--renditionMapping.html", error=("no text", "HTML")),
    Row(
        "html/markitdown--test_blog.html",
        "Does Model and Inference Parameter Matter in LLM Applications? - A Case Study for MATH",
        chapters=("Experiment Setup", "Experiment Results"),
        include=("TL;DR:\n\n• Just by tuning",),
        exclude=("<script", "function(", "Skip to main content"),
    ),
    Row(
        "html/unstructured--fake-html-cp1252.html", include=("15,50 €", "était très chaud"), warning="cp1252"
    ),
    Row(
        "html/unstructured--ideas-page.html",
        "How to Get New Ideas",
        include=("\n\nThe way to get new ideas",),
    ),
    Row("html/unstructured--fake-html.html", chapters=2, include=("Row 1, Cell 1 | Row 1, Cell 2\nRow 2",)),
    Row("html/unstructured--fake-html-with-base64-image.html", include=("Test page",), exclude=("base64",)),
    # --- DOCX and Markdown ---
    Row(
        "docx/markitdown--test.docx",
        "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation",
        chapters=("Abstract", "Introduction"),
    ),
    Row("docx/unstructured--category-level.docx", language="en-US", chapters=("A Heading 1", "A Heading 2")),
    Row(
        "docx/unstructured--docx-tables.docx",
        include=("Header Col 1 | Header Col 2\nLorem ipsum | A link example",),
    ),
    Row("docx/markitdown--equations.docx", include=("sinθ=mλ/a",)),
    Row(
        "md/markitdown--REPAIR-2022-INV-001_multipage.md",
        include=("Odometer | 9,800",),
        exclude=("|---", "**"),
    ),
    Row("md/markitdown--RECEIPT-2024-TXN-98765_retail_purchase.md", include=("TECHMART ELECTRONICS",)),
)
