"""Talk desk: everything the page asks about talks and the answers in them. No Gradio here."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from app.desk import uploads
from app.desk.reading_desk import ReadingDesk
from app.desk.scope import scope
from app.desk.speaking import Speaker, Speech, waiting_words
from app.desk.state import BOUNDS, View
from app.html import markup, memory_map, talk_html
from engine.answering.answer import AnswerEvent
from engine.answering.early import can_better
from engine.answering.suggestions import FURTHER, further, suggestions
from engine.answering.trace import Read, Trace
from engine.cast.person import Cast
from engine.errors import Failure
from engine.shelf.talks import Message
from engine.shelf.transcript import transcript
from ingest.errors import BadInput

FORMS = {"markdown": "md", "epub": "epub"}  # of a talk that is exported, with the endings of their files
BETTERED = " bettered"  # behind a talk's id: the key under which its early answers are made anew


class TalkDesk:
    """One reader's talks: what is shown of them, and the answers under way."""

    def __init__(self, reading: ReadingDesk, speaker: Speaker):
        self.reading, self.speaker = reading, speaker
        self.assistant, self.shelf, self.books = reading.assistant, reading.shelf, reading.books

    # which talk

    def choices(self, view: View) -> list[tuple[str, str]]:
        """List (title, id) of the talks about the open document, or about the shelf."""
        about = None if view.is_shelf else view.document or None
        if about is None and not view.is_shelf:
            return []
        return [(talk.title or "New talk", talk.id) for talk in self.shelf.talks.about(about)]

    def bounded(self, view: View, bound: str) -> View:
        """Change what answers may read; the shelf has talks of its own."""
        changed = replace(view, bound=bound if bound in BOUNDS.values() else "book")
        if changed.is_shelf == view.is_shelf:
            return changed
        choices = self.choices(changed)
        return changed.with_talk(choices[0][1] if choices else "")

    def may_hear(self, view: View) -> bool:
        """Tell whether the talk in view is this reader's."""
        try:
            return bool(view.talk) and self.shelf.talks.get(view.talk) is not None
        except BadInput:
            return False

    def present(self, view: View) -> View:
        """Return the view without its talk, where that is gone: another window may have deleted it."""
        return view if not view.talk or self.may_hear(view) else view.with_talk("")

    def delete(self, view: View) -> View:
        """Delete the talk in view with the answer that is under way in it."""
        if self.may_hear(view):
            self.speaker.stop(view.talk)
            self.shelf.talks.delete(view.talk)
        return view.with_talk("")

    # what is shown of it

    def conversation(self, view: View) -> str:
        """Write the talk in view as HTML, without what is being said just now."""
        if not view.document and not view.is_shelf:
            return markup.tag("p", "Open a book, and ask it anything.", class_="lm-empty")
        messages = self.shelf.talks.messages(view.talk) if view.talk else []
        waiting = "Ask all your books at once." if view.is_shelf else "Ask this book anything."
        chain = self.heard_all(view)
        if any(not one.ended for one in chain) and chain[0].at is not None:
            # the question stands with its answer, below; what it takes the place of goes when it begins
            messages, waiting = messages[: chain[0].at], ""
        read = self.answer_read(view)
        traced = self.shelf.talks.traced(view.talk) if view.talk else []
        shown = [self._with_passages(one) for one in messages]
        offered = self.suggested(view, messages) if messages or waiting else []
        return talk_html.conversation(shown, self.titles(view), waiting, traced, read, offered)

    def suggested(self, view: View, messages: Sequence[Message]) -> list[str]:
        """List questions to begin or to go on with, from what the reader may see of the open book.

        Before who is who in it is known, they are about its chapters: its first words do not wait for more.
        """
        entry = self.reading.entry(view)
        if view.is_shelf or entry is None:
            return []
        end = entry.position if view.bound == "read" else None
        document, cast = self.books.document(entry.id), self.books.made_cast(entry.id) or Cast(())
        if not messages:
            return suggestions(document, cast, end)
        if messages[-1].role != "assistant":
            return []
        asked = [one.text for one in messages if one.role == "user"]
        said = " ".join([messages[-1].text, *(str(one["text"]) for one in messages[-1].citations)])
        more = further(document, cast, said, asked, end)
        # where an answer names nobody new, what was not asked of the first questions
        return more or [one for one in suggestions(document, cast, end) if one not in asked][:FURTHER]

    def _with_passages(self, message: Message) -> Message:
        """Return a message whose citations have the passage that they stand in beside them."""
        shown = [one | {"around": self._around(one)} for one in message.citations]
        return replace(message, citations=shown)

    def _around(self, cited: dict) -> tuple[int, str]:
        """Return where the passage around a citation begins, and its text; without the book, the words."""
        start, end = int(cited["start"]), int(cited["end"])
        try:
            text = self.books.document(cited["document"]).text
            passages = self.assistant.library.passages(cited["document"])
        except (BadInput, Failure):
            return start, str(cited["text"])
        at = max(0, bisect_right(passages, start, key=lambda one: one.start) - 1)
        if text[start:end] != cited["text"] or not passages:  # the text was read anew since
            return start, str(cited["text"])
        first = min(passages[at].start, start)
        last = max(passages[at].end, end)
        return first, text[first:last]

    def chosen(self, view: View) -> tuple[int, Trace] | None:
        """Return the answer whose memory map is shown: its position in the talk, and where it was read."""
        traced = self.shelf.talks.traced(view.talk) if self.may_hear(view) else []
        if not traced:
            return None
        position = view.answer if view.answer in traced else traced[-1]
        trace = self.assistant.trace(view.talk, position)
        return None if trace is None else (position, trace)

    def answer_read(self, view: View) -> memory_map.AnswerRead | None:
        """Return the chosen answer's tokens and layers; None where no answer of the talk has a trace."""
        chosen = self.chosen(view)
        if chosen is None:
            return None
        position, trace = chosen
        book = memory_map.book_of(trace.reads or trace.passages, view.document)
        titles = self.titles(view)

        def place_of(read: Read) -> str:
            try:
                place = str(self.books.document(read.document).place(read.start))
            except (BadInput, Failure):
                return "a removed book"
            title = titles.get(read.document, "")
            return f"{title}, {place}" if title and len(titles) > 1 else place

        known = book and self.shelf.is_stored(book)
        size = len(self.books.document(book).text) if known else 0
        return memory_map.AnswerRead(
            position, memory_map.tokens_html(trace.tokens, book, size, place_of), trace.layers
        )

    def strip(self, view: View) -> str:
        """Write the strip for the chosen answer; empty where there is none."""
        chosen = self.chosen(view)
        if chosen is None:
            return ""
        position, trace = chosen
        book = memory_map.book_of(trace.reads or trace.passages, view.document)
        if not book or not self.shelf.is_stored(book):
            return ""
        document = self.books.document(book)
        here = [read for read in trace.reads if read.document == book]
        passages = [read for read in trace.passages if read.document == book]
        if not here and not passages:
            return ""
        hint = memory_map.HINT if here else memory_map.WITHOUT_TOKENS
        if book != view.document:
            hint = f"“{self.shelf.get(book).title}”. {hint}"
        at = view.at if book == view.document else None
        return memory_map.strip_html(document, book, here, passages, hint, at)

    def titles(self, view: View) -> dict[str, str]:
        """Return the titles of the documents that a talk may cite, by their ids."""
        if view.is_shelf:
            titles = {entry.id: entry.title for entry in self.shelf.entries()}
            return titles if len(titles) > 1 else titles | {"": ""}
        return {view.document: ""}

    def exported(self, view: View, form: str = "markdown") -> Path:
        """Write the talk in view into a file to be downloaded, in a form out of `FORMS`, with its quotes."""
        if not view.talk:
            raise BadInput("there is no talk to export yet; ask something first")
        talk = self.shelf.talks.get(view.talk)
        entry = self.reading.entry(replace(view, document=talk.document or ""))
        messages = self.shelf.talks.messages(view.talk)
        if talk.document is None:
            titles = {one.id: one.title for one in self.shelf.entries()}
            messages = [replace(one, citations=[cited | {"title": titles.get(cited["document"], "")}
                                                for cited in one.citations]) for one in messages]  # fmt: skip
        named = (entry.title, entry.author) if entry else ("", "")
        path = uploads.outgoing(f"talk.{FORMS[form]}")
        if form == "epub":
            from app.desk.epubs import of_talk  # EbookLib is needed for this alone

            path.write_bytes(of_talk(talk, messages, *named))
        else:
            path.write_text(transcript(talk, messages, *named), "utf-8", "replace")
        return path

    # asking

    def ask(self, view: View, question: str) -> View:
        """Begin an answer in the talk in view (a new talk where there is none)."""
        if not question.strip():
            raise BadInput("the question is empty; type one")
        view = self.present(view)
        words, bounds = scope(self.reading, view)
        if view.editing is not None:
            self.speaker.free(view.talk)
        talk = view.talk or self.shelf.talks.create(words).id
        count = len(self.shelf.talks.messages(talk))
        # behind another question, it stands wherever that one leaves the talk
        behind = self.speaker.is_busy(talk)
        at = None if behind else count if view.editing is None else min(view.editing, count)

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            # not before its turn: a question that is stopped while it waits costs the talk nothing
            if at is not None and at < count:
                self._replaceable(words)
                self.shelf.talks.truncate(talk, at)
            speech.at = len(self.shelf.talks.messages(talk)) if at is None else at
            return self.assistant.ask(words, question, talk=talk, stop=stop, **bounds)

        self.speaker.stop(talk + BETTERED)
        speech = self.speaker.say(talk, question.strip(), begin, at=at, behind=behind)
        return view.with_talk(talk)

    def _replaceable(self, document: str | None) -> None:
        """Check, before an answer is deleted for another, that the book could give one."""
        if document is not None and self.shelf.get(document).state == "ready":
            self.assistant.library.bank(document)

    def again(self, view: View) -> View:
        """Answer the last question anew."""
        questions = self._questions(view)
        if not questions:
            raise BadInput("there is no question to ask again")
        return self.ask(replace(view, editing=questions[-1].position), questions[-1].text)

    def awaited(self, view: View) -> tuple[object, ...]:
        """Name what the talk in view will show of itself: early answers anew, and whom to ask about."""
        entry = self.reading.entry(view)
        is_unknown = entry is not None and not view.is_shelf and self.books.made_cast(entry.id) is None
        return (*self.early(view), *(["cast"] if is_unknown else []))

    def early(self, view: View) -> list[int]:
        """List the answers of the talk in view that were given before their book had its memory."""
        return self.shelf.talks.early(view.talk) if self.may_hear(view) else []

    def better(self, view: View) -> Speech | None:
        """Begin to answer anew what was answered early, unseen; None where nothing is to be done by now.

        It gives way to whatever is said, and is not tried again where it failed.
        """
        early, key = self.early(view), view.talk + BETTERED
        tried = self.speaker.current(key)
        if not early or self.speaker.is_engaged() or (tried is not None and tried.error):
            return None
        talk = view.talk
        position = next((one for one in early if can_better(self.assistant.library, talk, one)), None)
        if position is None:
            return None
        return self.speaker.say(key, "", lambda stop: self.assistant.better(talk, position, stop=stop))

    def without(self, view: View, position: int, reread: bool) -> View:
        """Begin the answer at `position` once more without memory, to stand beside it."""
        self.speaker.free(view.talk)
        self.shelf.talks.get(view.talk)

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            return self.assistant.without_memory(view.talk, position, reread=reread, stop=stop)

        heading = talk_html.WITHOUT["passages" if reread else "nothing"]
        self.speaker.say(view.talk, "", begin, heading)
        return replace(view, answer=position)

    def undone(self, view: View, draft: str) -> tuple[View, str]:
        """Take the last question back, with its answer; its words go back to their reader, before a draft."""
        self.speaker.free(view.talk)
        self.speaker.forget(view.talk)
        words = self.shelf.talks.undo(view.talk)
        return view.with_talk(view.talk), "\n".join(part for part in (words, draft.strip()) if part)

    def editing(self, view: View, position: int) -> tuple[View, str]:
        """Take up a question for other words: asking again will take its place, and that of what followed."""
        found = [one for one in self._questions(view) if one.position == position]
        if not found:
            raise BadInput("there is no such question (any more)")
        return replace(view, editing=position), found[0].text

    def edited(self, view: View) -> str:
        """Write what asking will replace, with a way out; nothing where no question was taken up."""
        if view.editing is None or not view.talk:
            return ""
        positions = [one.position for one in self._questions(view)]
        return talk_html.editing(positions.index(view.editing) + 1) if view.editing in positions else ""

    def _questions(self, view: View) -> list[Message]:
        return [one for one in self.shelf.talks.messages(view.talk) if one.role == "user"]

    # answers under way

    def heard(self, view: View) -> Speech | None:
        """Return the answer under way in the talk in view, or its newest, where it is this reader's."""
        return self.speaker.current(view.talk) if self.may_hear(view) else None

    def heard_all(self, view: View) -> list[Speech]:
        """Return the newest answer of the talk in view, after those that it had to wait for."""
        return self.speaker.chain(view.talk) if self.may_hear(view) else []

    def live(self, view: View) -> str:
        """Write the answer under way in the talk in view as HTML, or why the last one failed."""
        chain = self.heard_all(view)
        if any(not one.ended for one in chain):
            return self.spoken_all(chain)
        failed = next((one for one in reversed(chain) if one.error), None)
        if failed is None:
            return ""
        words, said = failed.error, self.spoken(failed) if failed.answer is not None else ""
        if view.document and self.assistant.library.fault(view.document):
            words += ". On the shelf, “Encode anew” makes the memory again."
        return said + talk_html.failed(words)

    def spoken(self, speech: Speech) -> str:
        """Write what was said so far as HTML."""
        note = waiting_words(speech, self.speaker.before(speech))
        if speech.ended:
            return talk_html.over(speech.question, speech.text, speech.heading)
        return talk_html.live(speech.question, speech.text, note, speech.heading)

    def spoken_all(self, chain: list[Speech]) -> str:
        """Write answers of one talk that follow one another: said, being said, and waiting."""
        return markup.joined(
            talk_html.failed(one.error) if one.error and one.ended else self.spoken(one) for one in chain
        )

    def given_back(self, view: View) -> str:
        """Return the question of an answer that ended before its talk knew of it: once, for its reader."""
        speech = self.heard(view)
        if speech is None or not speech.error:
            return ""
        stands = speech.at is not None and (speech.at, speech.question) in [
            (one.position, one.text.strip()) for one in self._questions(view)
        ]
        words, speech.question = speech.question, ""
        return "" if stands else words
