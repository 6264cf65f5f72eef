"""From a page's boxes to reading order: lines, running headers, columns, paragraphs, outline."""
