"""The catalogue of a shelf: which of thousands of books a question is worth asking.

catalogue.py   Catalogue: vectors and word counts of every book, added and deleted as books come and go
vectors.py     the vector of a passage, the vectors that a question asks with
nearest.py     the faiss index of all vectors on disk: exact while small, trained and quantised when large
postings.py    which book holds which word how often
narrowing.py   from the whole shelf to the few books that are ranked exactly and read
"""
