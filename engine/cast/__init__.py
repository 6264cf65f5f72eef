"""Cast: who and what a book names, and the story so far; every line a place in the text, nothing made up.

names.py     the names of a text: where capital letters are no accident
person.py    Name, Figure, Cast: what is known of one, as far as one has read
joining.py   which names are of one figure
casting.py   from a text to its cast
kept.py      the cast of a document of the shelf, on disk
story.py     the sentences of a chapter that carry it
terms.py     the words that a text explains
timeline.py  the dates that it names
"""
