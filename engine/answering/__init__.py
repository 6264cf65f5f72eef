"""Answering: from a question to words of a book with their places; `pipeline` is read first."""
