"""Reading: which words of the passages found answer a question, where they stand, and how sure that is.

    P(span | passage) = P(start) · P(end),     over the passage's tokens and "this passage does not tell"

The passages' states come out of the memory bank; only the question is run through the backbone. A checkpoint
may have a cross-reader beside its layers, which reads the same passages as text, and a reranker, which reads
those that the best answers stand in side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.answering.found import Findings, Found, Span, best_scores, said
from engine.answering.passages import Ranges
from engine.answering.reranking import likelihoods, reranked
from engine.answering.windows import Window, batched, source_of, states_of, window
from engine.backbone.packs import multiplies_bfloat16
from engine.library import Library
from engine.shelf.fulltext import Hit
from engine.sidenet.crossreader import CrossReader
from engine.sidenet.reading import ReadingLayers, best_spans, question_tokens
from engine.sidenet.reranker import Reranker

READ = 20  # passages
READ_AGAIN = 8  # of them, by the cross-reader
QUESTION_TOKENS = 128


@dataclass(frozen=True)
class Reading:
    """What was read for a question.

    answers: best first. kind: probabilities of a span, yes and no. findings: what `answers` were weighed
    from. chances: of the first of them by the reranker, where one is installed.
    """

    answers: tuple[Found, ...] = ()
    kind: tuple[float, ...] = (1.0, 0.0, 0.0)
    findings: Findings = Findings()
    chances: tuple[float, ...] = ()

    @property
    def scores(self) -> tuple[float, float]:
        """Return the scores of the best answer and of the second, 0 for one that is not there."""
        return best_scores(self.answers)


def read(
    question: str,
    library: Library,
    hits: Sequence[Hit],
    ranges: Ranges,
    reranker: Reranker | None = None,
) -> Reading:
    """Read the passages found, nothing outside `ranges`, with the library's reading layers."""
    layers, backbone = library.model.reader, library.model.backbone
    assert layers is not None
    sources = {name: source_of(library, name, layers.block) for name in {hit.document for hit in hits}}
    every = (
        window(backbone, layers.block, sources[hit.document], hit, rank, ranges[hit.document])
        for rank, hit in enumerate(hits)
    )
    windows = [one for one in every if one is not None]
    if not windows:
        return Reading()
    asked = states_of(backbone, layers.block, question_tokens(backbone, question)[:QUESTION_TOKENS])
    texts = {name: source.text for name, source in sources.items()}
    parts = list(batched(windows))
    of_parts = [read_windows(layers, asked, part) for part in parts]
    windows = [one for part in parts for one in part]
    found = [spans for of_windows, _ in of_parts for spans in of_windows]
    by_layers = tuple(said((one for spans in found for one in spans), texts, question))
    rank, share, by_text = layers.calibration.rank, 0.0, None
    if (cross := library.model.crossreader) is not None:
        again = worth_reading_again(windows, found, rank)
        spans = [one for part in batched(again) for one in read_texts(cross, question, part, texts)]
        by_text, share = tuple(said(spans, texts, question)), cross.config.share
    findings = Findings(by_layers, by_text)
    answers = findings.answers(rank, share)
    chances: tuple[float, ...] = ()
    if reranker is not None:
        chances = likelihoods(reranker, question, answers, windows, texts)
        answers = reranked(answers, chances, reranker.config.share)
    kind = torch.cat([kind for _, kind in of_parts]).mean(0)
    return Reading(answers, tuple(kind.tolist()), findings, chances)


@torch.inference_mode()
def read_windows(
    layers: ReadingLayers, asked: Tensor, windows: Sequence[Window]
) -> tuple[list[list[Span]], Tensor]:
    """Return the most probable spans of each window, without their text, and the kinds (windows, 3)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        scores = layers([asked] * len(windows), [one.states for one in windows])
    found = []
    for row, one in enumerate(windows):
        start, end = (logits[row, : len(one.states)] for logits in (scores.start, scores.end))
        found.append(spans_of(one, one.spans, start, end, scores.null[row]))
    return found, scores.kind.softmax(-1)


def worth_reading_again(
    windows: Sequence[Window], found: Sequence[Sequence[Span]], rho: float
) -> list[Window]:
    """Return the windows that the cross-reader is to read, `READ_AGAIN` at most.

    They are those found first and those with the likeliest answers, by turns: of 134 questions about eight
    books the best answer of eight windows is right for 68, of twelve for 67.
    """
    ranked_first = sorted(range(len(windows)), key=lambda at: windows[at].rank)
    likely = sorted(ranked_first, key=lambda at: -max(span.weighed(rho) for span in found[at]))
    turns = dict.fromkeys(at for pair in zip(likely, ranked_first, strict=True) for at in pair)
    return [windows[at] for at in list(turns)[:READ_AGAIN]]


@torch.inference_mode()
def read_texts(
    cross: CrossReader, question: str, windows: Sequence[Window], texts: Mapping[str, str]
) -> list[Span]:
    """Return the most probable spans of each window by the cross-reader, without their text."""
    starts = [int(one.spans[0][0]) for one in windows]
    passages = [
        texts[one.document][start : int(one.spans[-1][1])] for one, start in zip(windows, starts, strict=True)
    ]
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        read = cross.read(question, passages)
    found = []
    for one, start, scores in zip(windows, starts, read, strict=True):
        found += spans_of(one, scores.spans + start, scores.start, scores.end, scores.null)
    return found


def spans_of(window: Window, places: np.ndarray, start: Tensor, end: Tensor, null: Tensor) -> list[Span]:
    """Return the most probable spans of a window, without their text.

    places: (tokens, 2) characters. start, end: (tokens,) logits. null: (2,) logits of "does not tell".
    """
    starts, ends = (
        torch.cat((logits, null[side : side + 1])).log_softmax(0)[:-1]
        for side, logits in enumerate((start, end))
    )
    return [
        Span(window.document, int(places[first][0]), int(places[last][1]), "", chance, window.rank)
        for first, last, chance in best_spans(starts, ends)
    ]
