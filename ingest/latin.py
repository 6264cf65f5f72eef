"""Which 8-bit encoding makes words of one language out of a text in Latin letters.

The Latin code pages give the same bytes other letters: 0xF8 is ř in Czech, ø in Danish, ° in DOS. The right
one turns them into letters of a single language, small ones inside of small words, and no sign into a word.
"""

import re

_LANGUAGES = {
    "german": "äöüß", "french": "àâçéèêëîïôùûüœæ", "spanish": "áéíóúñü", "portuguese": "ãáâàçéêíóôõú",
    "italian": "àèéìíòóù", "swedish": "åäöé", "danish": "åæøé", "icelandic": "áðéíóúýþæö",
    "dutch": "ëïéèöüáó", "catalan": "àçéèíïóòúü", "estonian": "äöõüšž", "czech": "áčďéěíňóřšťúůýž",
    "slovak": "áäčďéíĺľňóôŕšťúýž", "polish": "ąćęłńóśźż", "hungarian": "áéíóöőúüű", "croatian": "čćđšž",
    "romanian": "ăâîşţ", "turkish": "çğıöşüâî", "lithuanian": "ąčęėįšųūž", "latvian": "āčēģīķļņšūž",
}  # fmt: skip
_ENCODINGS = ("cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257", "cp850", "cp852", "cp437", "mac_roman")
_HIGH = re.compile("[^\x00-\x7f]")
_NEUTRAL = frozenset("“”„‘’‚«»‹›–—…•·°§©®€£™ªº¿¡½\u00a0\u00ad")
_LEAST_SHARE = 0.9
_CLEARLY = 0.08  # by how much another encoding must fit better than one that is met more often


def latin_encoding(sample: bytes) -> str | None:
    """Find the encoding whose letters fit one language; None where none does or they are not Latin."""
    plain = sum(65 <= byte & 0xDF <= 90 for byte in sample)
    if plain < 2 * sum(byte > 0x7F for byte in sample):
        return None
    best, share = None, 0.0
    for name in _ENCODINGS:
        fits = _best_share(sample.decode(name, errors="replace"))
        if fits > share + (_CLEARLY if best else 0):
            best, share = name, fits
    return best if share >= _LEAST_SHARE else None


def _best_share(text: str) -> float:
    """Return the share of letters beyond ASCII that one language has, the best of all."""
    counted: dict[str, int] = {}
    wrong = 0
    for match in _HIGH.finditer(text):
        letter, before = match[0], text[match.start() - 1 : match.start()]
        inside = before.isalpha() and text[match.end() : match.end() + 1].isalpha()
        if letter in _NEUTRAL and (not inside or letter == "’"):
            continue
        if not letter.isalpha() or (letter.isupper() and before.islower()):
            wrong += 1
        else:
            counted[letter.lower()] = counted.get(letter.lower(), 0) + 1
    total = wrong + sum(counted.values())
    if not total:
        return 0.0
    return max(sum(counted.get(letter, 0) for letter in letters) for letters in _LANGUAGES.values()) / total
