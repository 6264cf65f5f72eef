"""Records: what the command line and the public events tell of a thing, as plain dictionaries for JSON."""


def entry(entry) -> dict:
    """Describe a document of the shelf, for JSON."""
    names = ("id", "title", "author", "tokens", "bank_bytes", "state")
    return {name: getattr(entry, name) for name in names} | {"warnings": entry.warnings}


def answer(answer) -> dict:
    """Describe an answer, for JSON."""
    return {
        "answer": answer.text,
        "answered": answer.answered,
        "span": answer.span,
        "confidence": answer.confidence,
        "citations": [one.as_dict() for one in answer.citations],
        "looked_at": [one.as_dict() for one in answer.looked],
        "tokens": answer.tokens,
        "seconds_to_first_token": answer.seconds_to_first_token,
        "tokens_per_second": answer.tokens_per_second,
        "memory_tokens": answer.memory_tokens,
    }


def classification(found) -> dict:
    """Describe a label with its probabilities and the demonstrations behind it, for JSON."""
    return {
        "label": found.label,
        "probabilities": {label: round(p, 4) for label, p in found.probabilities.items()},
        "read": [
            {"text": one.text, "label": one.label, "weight": one.weight, "where": one.where}
            for one in found.read
        ],
        "memory_examples": found.memory_examples,
        "seconds": round(found.seconds, 3),
    }
