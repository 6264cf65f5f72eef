"""From a page's boxes to reading order: lines, running headers and footers, columns, paragraphs."""
