"""Word documents: what a paragraph is (styles), which number it bears (numbering), what it says (body)."""
