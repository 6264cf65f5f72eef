"""Demonstration libraries over a tiny random model: import, bank, jobs, classification, files."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from engine.backbone.backbone import Backbone
from engine.demonstrations import classifier
from engine.demonstrations.demonstrations import Demonstrations
from engine.demonstrations.examplebank import encoded_ids, packed, written
from engine.demonstrations.files import write_rows
from engine.demonstrations.heldout import wilson
from engine.demonstrations.importing import Row
from engine.demonstrations.memory import DemonstrationReader
from engine.demonstrations.settings import Settings
from engine.demonstrations.task import Task, guessed_template, guessed_words
from engine.demonstrations.window import ALONE, LabelScorer
from engine.evaluation.textbank import TextBank
from engine.library import Library
from engine.model import Model
from engine.paths import Paths
from engine.shelf.runner import JobRunner
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.ring import TensorReader
from ingest.errors import BadInput
from ingest.parse import parse
from ingest.tables import pasted_table, read_table

GOOD = ("lovely", "splendid", "charming", "delightful", "brilliant")
BAD = ("dreary", "tedious", "clumsy", "hollow", "dismal")


def review(number: int) -> tuple[str, str]:
    words, label = (GOOD, "positive") if number % 2 else (BAD, "negative")
    return f"a {words[number % 5]} and {words[number // 5 % 5]} film, seen on day {number}", label


def csv_of(numbers) -> str:
    return "text,label\n" + "".join('"{}",{}\n'.format(*review(number)) for number in numbers)


def stirred(backbone, **settings) -> SideNet:
    """A SideNet whose memory layer counts, as after training."""
    sidenet = SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,), **settings), backbone)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in sidenet.named_parameters():
            if "layers.1." in name and ("scale" in name or "memory" in name):
                parameter.copy_(0.3 * torch.randn_like(parameter))
    return sidenet.eval()


@pytest.fixture
def demos(tiny_folder, tmp_path) -> Demonstrations:
    library = Library(Paths(tmp_path / "home"), parse, model=str(tiny_folder))
    library.model.take(sidenet=stirred(library.model.backbone))
    return Demonstrations(library, read_table)


def library_of(demos: Demonstrations, pasted: str, name: str = "Films", encoded: bool = True):
    """A library of a pasted table."""
    made = demos.create(name, demos.preview(pasted_table(pasted)))
    if encoded:
        demos.encode(made.id)
    return demos.store.get(made.id)


@pytest.fixture
def films(demos):
    """A library of 40 encoded examples."""
    return library_of(demos, csv_of(range(40)))


# the task

TEMPLATES = [
    ("Review: {} Sentiment: {}", "Review: fine Sentiment:", " positive", "\n"),
    ("{}\nLabel:\t{}.", "fine\nLabel:", "\tpositive", ".\n"),
    ("“{}” is {} !", "“fine” is", " positive", " !\n"),
]


@pytest.mark.parametrize(("template", "prompt", "answer", "tail"), TEMPLATES)
def test_a_template_becomes_prompt_answer_and_tail(template, prompt, answer, tail):
    task = Task(template, {"1": "positive", "0": "negative"})
    assert (task.prompt("fine"), task.answer("1"), task.tail) == (prompt, answer, tail)


WRONG_TASKS = [
    ("Review: {}", {"a": "a", "b": "b"}, "two places"),
    ("{}{}", {"a": "a", "b": "b"}, "words between"),
    ("{} is {}", {"a": "a"}, "2 to 100 labels"),
    ("{} is {}", {str(n): str(n) for n in range(101)}, "2 to 100 labels"),
    ("{} is {}", {"a": "same", "b": " same "}, 'share the word "same"'),
    ("{} is {}", {"a": " ", "b": "b"}, "needs a word"),
]


@pytest.mark.parametrize(("template", "words", "message"), WRONG_TASKS)
def test_a_task_that_cannot_work_is_refused(template, words, message):
    with pytest.raises(BadInput, match=message):
        Task(template, words)


def test_template_and_words_are_guessed_from_the_columns():
    assert guessed_template("review_text", "sentiment") == "Review text: {} Sentiment: {}"
    assert guessed_words(["not_spam", "spam"]) == {"not_spam": "not spam", "spam": "spam"}
    assert guessed_words(["a_b", "a b"]) == {"a_b": "a_b", "a b": "a b"}


# importing

COLUMNS = [
    ("label,text\nx,long enough\ny,another text\n", "text", "label"),
    (
        "id\tquestion\tkind\n1\twho is it\twho\n2\twho was it\twho\n3\twhere is it\twhere\n",
        "question",
        "kind",
    ),
    ("a;b\nthis is a longer sentence;yes\nand this one too;no\nor this;yes\n", "a", "b"),
    ("a fine day\tgood\na dull day\tbad\nthe best day\tgood\n", "column 1", "column 2"),
    ('{"Body": "one two", "y": 1}\n{"Body": "three", "y": 0}\n', "Body", "y"),
]


@pytest.mark.parametrize(("pasted", "text", "label"), COLUMNS)
def test_columns_are_guessed(demos, pasted, text, label):
    found = demos.preview(pasted_table(pasted))
    assert (found.text_column, found.label_column) == (text, label)
    assert not found.problems


def test_the_user_may_choose_other_columns(demos):
    table = pasted_table("text,label,mood\nab,x,glad\ncd,y,sad\nef,x,sad\n")
    assert demos.preview(table, label_column="mood").counts == {"glad": 1, "sad": 2}
    with pytest.raises(BadInput, match='no column "colour"'):
        demos.preview(table, label_column="colour")
    with pytest.raises(BadInput, match="same column"):
        demos.preview(table, "text", "text")


def test_what_is_wrong_is_told_row_by_row_and_nothing_is_imported(demos, films):
    pasted = 'text,label\n"",positive\nnew and good,\nnew\ufffd letters,positive\nseen before,positive\n' + (
        f"Seen   before,negative\nof another kind,mixed\n{review(3)[0]!r},positive\n".replace("'", '"')
    )
    found = demos.preview(pasted_table(pasted), into=films.id)
    assert [str(one) for one in found.problems] == [
        "row 2: the text is empty",
        "row 3: the label is empty",
        "row 4: wrong encoding: some letters could not be read; name the file's encoding",
        "row 6: duplicate: the same text stands in row 5",
        'row 7: unknown label "mixed"; this library has negative, positive',
        "row 8: duplicate: the same text stands in the library",
    ]
    with pytest.raises(BadInput, match=r"row 2: .*row 3: .*row 4: .*and 3 more.*nothing was imported"):
        demos.extend(films.id, found)
    assert demos.store.get(films.id).size == 40
    assert demos.extend(films.id, found, skip=True) == 1


def test_a_label_column_of_one_value_or_hundreds_is_refused(demos):
    with pytest.raises(BadInput, match="has 1 label in"):
        demos.preview(pasted_table("text,label\na b,x\nc d,x\n"))
    many = "text,label\n" + "".join(f"text {n},label {n}\n" for n in range(150))
    with pytest.raises(BadInput, match="150 different values"):
        demos.preview(pasted_table(many))


def test_a_name_is_given_once(demos, films):
    with pytest.raises(BadInput, match="already"):
        demos.create("FILMS", demos.preview(pasted_table(csv_of(range(4)))))
    assert demos.store.find("film").id == demos.store.find(films.id).id == films.id
    with pytest.raises(BadInput, match='there is "Films"'):
        demos.store.find("books")
    with pytest.raises(BadInput, match=r'there is "Films" \(\w+\) or "Messages to a library desk"'):
        demos.find("books")


# the bank


def test_whole_demonstrations_are_packed_and_nothing_is_dropped(demos, films):
    task, tokenizer = films.task, demos.library.model.backbone.tokenizer
    every = [written(one, task, tokenizer) for one in demos.store.examples(films.id)]
    segments = list(packed(every))
    assert [one for segment in segments for one in segment] == every
    assert all(sum(len(one.ids) for one in segment) <= 1024 for segment in segments)
    bank = demos._open_bank(films)
    assert bank.token_ids.tolist() == [token for one in every for token in one.ids]
    owners = bank.spans[:, 0]
    for start, end in zip(bank.chunk_starts, [*bank.chunk_starts[1:], bank.tokens], strict=True):
        assert len(set(owners[start:end])) == 1


def test_what_is_stored_of_an_example_does_not_depend_on_its_neighbours(demos, films):
    rows = ["{},{}".format(*(part.replace(",", " ") for part in review(number))) for number in (7, 8)]
    alone = library_of(demos, "\n".join(["text,label", *rows]), "One")
    texts = [one.text for one in demos.store.examples(alone.id)]
    pasted = f"text,label\n{texts[0]},positive\n{'word ' * 60},negative\n{texts[1]},negative\n"
    long = library_of(demos, pasted, "Long")
    first, second = (demos._memory(demos.store.get(one.id)) for one in (alone, long))
    np.testing.assert_allclose(first.states[0], second.states[0], atol=2e-2)
    np.testing.assert_allclose(first.states[1], second.states[2], atol=2e-2)


def test_adding_encodes_only_the_new_ones(demos, films, monkeypatch):
    before = (demos.folder(films.id) / "bank" / "tokens.bin").read_bytes()
    demos.extend(films.id, demos.preview(pasted_table(csv_of(range(38, 45))), into=films.id), skip=True)
    assert demos.state(films.id) == "waiting"
    assert demos.encoded(films.id) == (40, 45)
    passes = []
    encode = type(demos.library.model.backbone).encode
    monkeypatch.setattr(
        type(demos.library.model.backbone),
        "encode",
        lambda self, ids, *rest: passes.append(len(ids)) or encode(self, ids, *rest),
    )
    monkeypatch.setattr(classifier.Classifier, "mixture", None)  # which reads some of all
    demos.encode(films.id)
    assert sum(passes) == 5
    after = (demos.folder(films.id) / "bank" / "tokens.bin").read_bytes()
    assert after.startswith(before) and demos.encoded(films.id) == (45, 45)
    assert demos.enqueue(films.id) is None


def test_edited_and_removed_examples_are_not_read(demos, films):
    first, second, *_ = demos.store.examples(films.id)
    changed = demos.store.edit(films.id, first.id, "quite another text", "positive")
    assert changed.id != first.id and changed.label == "positive"
    demos.store.discard(films.id, [second.id])
    demos.encode(films.id)
    alive = {one.id for one in demos._memory(demos.store.get(films.id)).examples}
    assert alive == {one.id for one in demos.store.examples(films.id)}
    assert {first.id, second.id} <= set(encoded_ids(demos.folder(films.id)).tolist())
    demos.store.discard(films.id, [one.id for one in demos.store.examples(films.id)[:25]])
    demos.store.add(films.id, [Row(0, "one more", "negative")])
    demos.encode(films.id)
    held = encoded_ids(demos.folder(films.id)).tolist()
    assert held == [one.id for one in demos.store.examples(films.id)]


def test_another_template_encodes_again(demos, films):
    demos.store.configure(films.id, task=Task("Film: {} It was {}", films.task.words))
    assert demos.enqueue(films.id) is not None
    demos.encode(films.id)
    assert demos.classify(films.id, "a lovely film").label in films.task.labels
    with pytest.raises(BadInput, match='unknown label "positive"'):
        demos.store.configure(films.id, task=Task("Film: {} It was {}", {"negative": "bad", "fine": "fine"}))


INTERRUPTED = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from engine.demonstrations import examplebank
from engine.demonstrations.demonstrations import Demonstrations
from engine.library import Library
from engine.paths import Paths
examplebank.BLOCK_TOKENS = 200
library = Library(Paths(Path(sys.argv[1])), None, model=sys.argv[2])
demos = Demonstrations(library, None)
append = examplebank.BankWriter.append
def slow(self, *parts, **named):
    append(self, *parts, **named)
    print("segment", flush=True)
    time.sleep(0.2)
examplebank.BankWriter.append = slow
demos.encode(demos.store.libraries()[0].id)
"""


def test_a_killed_encoding_goes_on_where_it_was(demos, tiny_folder, tmp_path):
    demos.library.model = Model(demos.library.paths, str(tiny_folder))
    made = library_of(demos, csv_of(range(40)), encoded=False)
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "home"), str(tiny_folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    for _ in range(3):
        assert child.stdout.readline() == "segment\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    held = len(encoded_ids(demos.folder(made.id)))
    assert 0 < held < 40
    dones = []
    demos.encode(made.id, progress=lambda job: dones.append(job.done) if job.stage == "encode" else None)
    assert demos.encoded(made.id) == (40, 40) and demos.state(made.id) == "ready"
    again = library_of(demos, csv_of(range(40)), "Again")
    first, second = (demos._memory(demos.store.get(one.id)) for one in (made, again))
    np.testing.assert_array_equal(first.states, second.states)
    np.testing.assert_array_equal(first.bank.token_ids, second.bank.token_ids)


# reading memory


def test_only_chosen_demonstrations_are_read(demos, films):
    memory, sidenet = demos._memory(films), demos.library.model.sidenet
    rows = np.array([3, 17, 30])
    reader = DemonstrationReader(memory, rows, sidenet)
    query = torch.randn(2, 3, sidenet.config.heads, sidenet.config.head_dim)
    found = reader.read(1, query, None)
    assert found.mask.any() and found.keys.shape[:2] == (2, 3)
    owners = {int(reader._owner[chunk]) for chunk in found.chunks.flatten().tolist() if chunk >= 0}
    assert owners <= set(rows.tolist())
    spans = memory.bank.spans[:, 0]
    for chunk in found.chunks.flatten().tolist():
        if chunk >= 0:
            t0, _ = memory.bank.chunk_tokens(int(reader._chunks[chunk]))
            assert spans[t0] == memory.examples[int(reader._owner[chunk])].id


def test_what_followed_is_read_within_a_demonstration_only(demos, films):
    sidenet = stirred(demos.library.model.backbone, memory_values="following")
    memory = demos._memory(films)
    reader = DemonstrationReader(memory, memory.rows(), sidenet)
    query = torch.randn(2, 3, sidenet.config.heads, sidenet.config.head_dim)
    found = reader.read(1, query, None)
    size, bank = sidenet.config.chunk_size, memory.bank
    for row, place, head in np.ndindex(*found.chunks.shape[:3]):
        for slot, chunk in enumerate(found.chunks[row, place, head].tolist()):
            t0, t1 = bank.chunk_tokens(int(reader._chunks[chunk]))
            for token in range(t0, t1):
                at = slot * size + token - t0
                last = memory.ends[token]
                assert bool(found.mask[row, place, head, at]) == (not last)
                if not last:
                    assert found.following[row, place, head, at] == bank.token_ids[token + 1]
                    assert bank.spans[token, 0] == bank.spans[token + 1, 0]
    assert sum(memory.ends) == 40
    hidden = demos.library.model.backbone.encode(torch.tensor([[30, 31, 32], [33, 34, 35]])).hidden
    assert torch.isfinite(sidenet(hidden, reader).normed).all()


def test_what_a_crash_left_is_swept(demos, films):
    deleted, orphan = demos.folder(".removed-0123456789ab-00ff"), demos.folder("0123456789ab")
    for folder in (deleted, orphan):
        (folder / "bank").mkdir(parents=True)
    demos.library.shelf.sweep()
    Demonstrations(demos.library, read_table)
    assert not deleted.exists() and not orphan.exists()
    assert [kept.name for kept in demos.library.paths.found.iterdir()] == ["0123456789ab"]
    assert demos.state(films.id) == "ready"


# likelihoods


@pytest.fixture
def scorer(demos) -> LabelScorer:
    answers = [[5], [9, 4], [9, 4, 7], [9, 6], [11, 3]]
    return LabelScorer(demos.library.model.backbone, demos.library.model.sidenet, answers)


def by_hand(scorer, ids, answer, memory) -> float:
    """log p of an answer after ids, in one pass without any cache."""
    whole = torch.tensor([[*ids, *answer]])
    backbone = scorer.backbone
    if memory is ALONE:
        normed = backbone.final_norm(backbone.encode(whole).hidden[backbone.blocks])
    else:
        normed = scorer.sidenet(backbone.encode(whole).hidden, memory).normed
    steps = backbone.head(normed).log_softmax(-1)[0, len(ids) - 1 : -1]
    return steps[torch.arange(len(answer)), answer].sum().item()


@torch.inference_mode()
def test_the_likelihood_of_labels_of_several_tokens_is_that_of_one_whole_pass(demos, films, scorer):
    reader = DemonstrationReader(demos._memory(films), np.arange(20), demos.library.model.sidenet)
    shots, texts = [20, 21, 22, 23], [[30, 31, 32], [33], [34, 35, 36], [40, 41]]
    prefix = scorer.prefix(shots)
    found = scorer.score(prefix, texts, (ALONE, None, reader))
    for scores, memory in zip(found[:2], (ALONE, None), strict=True):
        for at, text in enumerate(texts):
            for label, answer in enumerate(scorer.answers):
                assert scores.labels[at, label].item() == pytest.approx(
                    by_hand(scorer, shots + text, answer, memory), abs=1e-3
                )
    # with memory the shots were read without it: only the first token can be compared, with the same cache
    alone = scorer.score(prefix, [texts[0]], (reader,))[0]
    assert torch.allclose(alone.labels[0], found[2].labels[0], atol=1e-4)
    assert not torch.allclose(found[1].labels, found[2].labels, atol=1e-3)


def test_memory_is_searched_for_the_last_token_alone_where_none_looks_at_another(demos, monkeypatch):
    backbone = demos.library.model.backbone
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1, 2), memory_values="following", top_k=2)
    sidenet = SideNet(config, backbone).eval()
    for layer in sidenet.layers[1:3]:
        layer.memory.gate.data.fill_(0.5)
    sidenet.eval()
    past = [freeze(backbone, torch.randint(3, 200, (32,)), Wanted.of(config, ()))]
    memory, text, searched = TextBank.of(config, past).reader(32), [30, 31, 32, 33], []
    read = TensorReader.read

    def watched(self, layer, query, search, chunks=None):
        searched.append(query.shape[1])
        return read(self, layer, query, search, chunks)

    monkeypatch.setattr(TensorReader, "read", watched)
    scorer = LabelScorer(backbone, sidenet, [[5], [9]])
    found = scorer.score(scorer.prefix([]), [text], (memory,))[0].labels
    assert searched == [1, 1]
    for label, answer in enumerate(scorer.answers):
        assert found[0, label].item() == pytest.approx(by_hand(scorer, text, answer, memory), abs=1e-4)


def test_a_prefix_serves_again_and_again(scorer):
    prefix = scorer.prefix([20, 21])
    first = scorer.score(prefix, [[30, 31]])[0].labels
    scorer.score(prefix, [[32]])
    assert torch.equal(first, scorer.score(prefix, [[30, 31]])[0].labels)
    assert prefix.backbone.get_seq_length() == 2


# classifying


@pytest.mark.parametrize(
    "settings",
    [
        Settings(shots=4),
        Settings(shots=4, choose="similar"),
        Settings(shots=0, memory=False, vote=False, calibrate=False),
        Settings(shots=200),
        Settings(shots=2, vote=False),
    ],
    ids=str,
)
def test_a_text_gets_a_label_with_probabilities_and_what_was_read(demos, films, settings):
    found = demos.classify(films.id, "a splendid and charming film", settings)
    assert found.label == max(found.probabilities, key=found.probabilities.get)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert list(found.probabilities) == list(films.task.labels)
    known = {one.id: one for one in demos.store.examples(films.id)}
    for read in found.read:
        assert (read.text, read.label) == (known[read.example].text, known[read.example].label)
        assert 0 <= read.weight <= 1
    kinds = {read.where for read in found.read}
    assert ("vote" in kinds) == settings.vote
    assert ("window" in kinds) == (settings.shots > 0)
    assert ("memory" in kinds) == settings.memory


@pytest.mark.parametrize("choose", ["random", "similar"])
def test_a_window_leaves_room_for_the_text_in_a_short_context(demos, tiny_tokenizer, tmp_path, choose):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=259, n_embd=48, n_layer=5, n_head=6, n_positions=1024))
    backbone = Backbone(model.eval(), tiny_tokenizer, "gpt2")
    demos.library.model.take(backbone=backbone, sidenet=stirred(backbone))
    made = library_of(demos, csv_of(range(40)))
    classifier = demos.classifier(made.id, Settings(shots=20, choose=choose))
    every = {one.id: one for one in demos.store.examples(made.id)}
    windows = []
    for text in ("short", "y" * 500, "z" * 900):  # a token is a character
        (found,) = classifier.classify([text])
        shots = [every[read.example] for read in found.read if read.where == "window"]
        windows.append(shots)
        used = sum(len(written(shot, made.task, tiny_tokenizer).ids) for shot in shots)
        assert used + len(text) < backbone.context
    short, long, longest = map(len, windows)
    assert 20 > short > long > longest
    assert [one.label for one in classifier.classify(["short", "y" * 500])] == [
        classifier.classify([text])[0].label for text in ("short", "y" * 500)
    ]


def test_an_evaluation_goes_on_while_an_encoding_begins(demos, films):
    demos.store.split(films.id, 0.5)
    seen = []

    def begin(done: int, total: int) -> None:
        seen.append(done)
        demos._forget(films.id)  # what a job does first

    assert demos.evaluate(films.id, Settings(shots=2), progress=begin).examples == 20
    assert seen == [16, 20]


def test_lost_states_are_made_again(demos, films):
    states = demos.folder(films.id) / "states.bin"
    whole = states.read_bytes()
    for damage in (lambda: states.write_bytes(b""), states.unlink):
        damage()
        with pytest.raises(BadInput, match="states that vote are lost: encode"):
            demos.classifier(films.id, Settings(seed=len(whole)))
        demos.encode(films.id)
        assert states.read_bytes() == whole and demos.state(films.id) == "ready"
    states.write_bytes(whole[:100])
    demos.store.add(films.id, [Row(0, "one more", "positive")])
    demos.encode(films.id)
    assert demos.encoded(films.id) == (41, 41) and states.read_bytes().startswith(whole)


def test_the_vote_learns_the_task_even_from_a_random_model(demos):
    made = library_of(demos, csv_of(range(100)))
    demos.store.split(made.id, 0.2)
    seen = []
    report = demos.evaluate(
        made.id, Settings(shots=2), progress=lambda done, total: seen.append((done, total))
    )
    assert report.examples == 20 and report.accuracy >= 0.9
    assert report.accuracy == report.right / 20 and seen[-1] == (20, 20)
    assert report.interval[0] < report.accuracy <= report.interval[1]
    assert sum(map(sum, report.confusion)) == 20 and report.majority == 0.5
    # where nothing is held out, the same fifth is for this measurement alone
    demos.store.split(made.id, 0)
    assert demos.evaluate(made.id, Settings(shots=2)) == report
    assert demos.store.get(made.id).held("held-out") == 0


def test_how_vote_and_likelihood_weigh_is_known_when_the_first_text_comes(demos, monkeypatch):
    made = library_of(demos, csv_of(range(100)), encoded=False)
    fitted, fit = [], classifier.fit_mixture
    monkeypatch.setattr(classifier, "fit_mixture", lambda *given: fitted.append(1) or fit(*given))
    demos.encode(made.id)
    assert len(fitted) == 1
    first = demos.classify(made.id, "a fine film").probabilities
    assert len(fitted) == 1
    # others are fitted for other settings and other examples, and where the file is gone
    demos.classify(made.id, "a fine film", Settings(shots=2))
    assert len(fitted) == 2
    (demos.folder(made.id) / classifier.MIXTURES_FILE).write_text("[]")
    assert demos.classify(made.id, "a fine film").probabilities == first
    assert len(fitted) == 3
    demos.store.add(made.id, [Row(0, "one more", "positive")])
    demos.encode(made.id)
    assert len(fitted) == 4


def test_a_library_too_small_to_leave_some_out_says_so(demos):
    made = library_of(demos, csv_of(range(4)))
    with pytest.raises(BadInput, match="too few examples to hold some out"):
        demos.evaluate(made.id)


def test_a_library_needs_examples_in_memory_and_a_bank(demos):
    made = library_of(demos, csv_of(range(6)), encoded=False)
    with pytest.raises(BadInput, match="not encoded yet"):
        demos.classify(made.id, "a film")
    demos.encode(made.id)
    demos.store.move(made.id, "aside", [one.id for one in demos.store.examples(made.id)])
    with pytest.raises(BadInput, match="no example in memory"):
        demos.classify(made.id, "a film")
    with pytest.raises(BadInput, match="empty"):
        demos.classify(made.id, " \n")


def test_a_hundred_labels_of_several_words(demos):
    rows = "".join(
        f"a text about subject {n} and part {m}\tkind number {n}\n" for n in range(100) for m in range(2)
    )
    made = library_of(demos, "text\tlabel\n" + rows, "Many")
    found = demos.classify(made.id, "a text about subject 77", Settings(shots=3))
    assert len(found.probabilities) == 100 and sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("привет", 1),
        ("ПРИВЕТ МИР", 1),
        ("élan", 1),
        ("E\u0301LAN", 1),
        ("hello", 1),
        ("STRASSE", 1),
        ("no", 0),
    ],
)
def test_a_search_takes_capitals_of_every_alphabet_for_small_letters(demos, words, found):
    pasted = "text,label\nПривет мир.,a\nÉlan vital.,b\nHELLO World.,a\nDie Straße.,b\n"
    library = library_of(demos, pasted, "Words", encoded=False)
    assert len(demos.store.examples(library.id, containing=words)) == found


def test_split_and_balance_only_move_examples(demos):
    made = library_of(demos, csv_of([*range(20), *range(21, 61, 2)]), encoded=False)
    assert demos.store.balance(made.id) == 20
    assert demos.store.split(made.id, 0.2) == 4
    counts = demos.store.get(made.id).counts
    assert counts["negative"] == {"memory": 8, "held-out": 2}
    assert counts["positive"] == {"memory": 8, "held-out": 2, "aside": 20}
    assert demos.store.split(made.id, 0) == 0
    assert demos.store.get(made.id).held("memory") == 20
    with pytest.raises(BadInput, match="between 0 and 1"):
        demos.store.split(made.id, 1.5)


def test_a_balanced_library_uses_what_it_keeps(demos, films):
    demos.store.move(films.id, "held-out", [one.id for one in demos.store.examples(films.id)[:10]])
    classifier = demos.classifier(films.id)
    assert len(classifier.rows) == 30
    assert set(classifier.window_rows) <= set(classifier.rows)


# files


def texts_file(tmp_path, numbers=range(100, 170)) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "".join(f'"{review(number)[0]}"\n' for number in numbers))
    return path


def test_a_library_is_warmed_once_and_its_labels_stay_the_same(demos, films, monkeypatch):
    text = "a splendid evening"
    cold = demos.classify(films.id, text)
    demos._forget(films.id)
    made: list[int] = []
    whole = classifier.Classifier.classify

    def counted(one, texts):
        made.append(len(texts))
        return whole(one, texts)

    monkeypatch.setattr(classifier.Classifier, "classify", counted)
    demos.warm(films.id)
    demos.warm(films.id)
    assert made == [1]
    assert demos.classify(films.id, text).probabilities == cold.probabilities


def test_a_file_is_classified_by_the_server_and_downloaded(demos, films, tmp_path):
    run, job = demos.start_run(films.id, read_table(texts_file(tmp_path)))
    runner = JobRunner(demos.jobs, demos.work_any)
    runner.start()
    deadline = time.monotonic() + 60
    while demos.jobs.get(job.id).unfinished and time.monotonic() < deadline:
        time.sleep(0.05)
    runner.stop()
    assert demos.jobs.get(job.id).state == "done"
    (run,) = demos.runs(films.id)
    assert (run.done, run.rows) == (70, 70)
    results = demos.run_results(run)
    assert [one.row for one in results] == list(range(2, 72))
    assert demos.export_run(run, tmp_path / "out.csv") == 70
    table = read_table(tmp_path / "out.csv")
    labels = ("p(negative)", "p(positive)")
    assert table.columns == ("row", "text", "label", *labels, "read 1", "read 2", "read 3")
    demos.export_run(run, tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["label"] in films.task.labels and first["read 1"].endswith("]")
    with pytest.raises(BadInput, match="must end in"):
        demos.export_run(run, tmp_path / "out.xlsx")
    demos.remove_run(run)
    assert demos.runs(films.id) == []


def test_a_paused_file_goes_on_and_comes_out_the_same(demos, films, tmp_path):
    table = read_table(texts_file(tmp_path))
    run, job = demos.start_run(films.id, table)

    def pause(now):
        if now.done >= 32:
            demos.jobs.pause(job.id)

    demos.run(job, progress=pause)
    assert demos.jobs.get(job.id).state in ("paused", "done")
    part = demos.run_results(run)
    if demos.jobs.get(job.id).state == "paused":
        results = demos.folder(films.id) / "runs" / run.id / "results.jsonl"
        with results.open("a") as handle:
            handle.write('{"row": 99, "te')  # what a crash leaves
        again, job = demos.start_run(films.id, table)
        assert again.id == run.id and job.state == "queued"
        demos.run(job)
    whole = demos.run_results(run)
    assert len(whole) == 70 and whole[: len(part)] == part
    other, _ = demos.start_run(films.id, table, settings=Settings(shots=3))
    assert other.id != run.id


def test_an_empty_text_in_a_file_is_named(demos, films, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,text\n1,good\n2,\n")
    with pytest.raises(BadInput, match="row 3: the text is empty"):
        demos.start_run(films.id, read_table(path))
    with pytest.raises(BadInput, match='no column "words"'):
        demos.start_run(films.id, read_table(path), "words")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_an_export_can_be_imported_again(demos, films, tmp_path, suffix):
    odd = ["=1+2 is no formula, but a review", "'=1 has an apostrophe of its own", "+3 'odd'", "'so' said he"]
    demos.store.add(films.id, [Row(0, text, "negative") for text in odd])
    path = tmp_path / f"films{suffix}"
    assert demos.export(films.id, path) == 44
    again = demos.preview(read_table(path))
    assert len(again.rows) == 44 and not again.problems
    assert again.counts == {"negative": 24, "positive": 20}
    assert set(odd) < {row.text for row in again.rows}


FORMULAS = [
    '=HYPERLINK("http://a")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "'=1",
]
WORDS = ["-5", "+3.5e2", "a = b", "'tis", "", "' ", "1-2"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_spreadsheet_runs_no_cell_of_an_export(tmp_path, suffix):
    """Neither a cell nor the name of a column; what is read again is the same."""
    path, columns = tmp_path / f"out{suffix}", ["=1+1", "label"]
    rows = [dict(zip(columns, (text, "a"), strict=True)) for text in FORMULAS + WORDS]
    assert write_rows(path, columns, rows) == len(rows)
    with path.open(newline="") as handle:
        header, *cells = csv.reader(handle, delimiter="\t" if suffix == ".tsv" else ",")
    assert header[0] == "'=1+1"
    assert [one[0] for one in cells] == [f"'{text}" for text in FORMULAS] + WORDS
    again = read_table(path, header=True)
    assert again.columns == tuple(columns)
    assert [row[0] for row in again.rows] == FORMULAS + WORDS


def test_a_file_named_as_a_library_is_imported_once(demos, tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(csv_of(range(10)))
    first = demos.find(str(path))
    assert demos.find(str(path)).id == first.id and first.size == 10
    path.write_text(csv_of(range(12)))
    assert demos.find(str(path)).size == 12
    with pytest.raises(BadInput, match="no such file"):
        demos.find(str(tmp_path / "none.csv"))


def test_a_file_is_read_again_as_it_was_imported(demos, tmp_path):
    said, path = [], tmp_path / "films.csv"
    path.write_bytes("text,label\nДобрый фильм,да\nСкучный фильм,нет\n".encode("cp1251"))
    library = demos.find(str(path), said.append, "cp1251")
    assert library.task.labels == ("да", "нет") and said == []
    assert demos.find(str(path), said.append).id == library.id and said == []
    assert demos.find(str(path), said.append, "windows-1251").size == 2
    with pytest.raises(BadInput, match='"films" was imported in another encoding: delete it on the page'):
        demos.find(str(path), said.append, "cp866")
    path.write_text("text,label\nДобрый фильм,да\nСкучный фильм,нет\nНовый фильм,да\n", encoding="utf-8")
    for named in (None, "utf-8"):  # saved anew in another encoding, its texts are still known
        assert demos.find(str(path), said.append, named).size == 3
    with pytest.raises(BadInput, match="is no file"):
        demos.find("films", said.append, "cp1251")
    guessed = tmp_path / "plays.csv"
    guessed.write_bytes("text,label\nCafé one,a\nCafé two,b\n".encode("latin-1"))
    demos.find(str(guessed), said.append)
    assert len(said) == 1 and said[0].startswith("plays.csv: the encoding was guessed as ")


def test_a_corrected_file_gives_its_texts_their_new_labels(demos, tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(csv_of(range(12)))
    made = demos.find(str(path))
    demos.encode(made.id)
    held = demos.store.examples(made.id)[3]
    demos.store.move(made.id, "held-out", [held.id])
    lines = csv_of(range(13)).splitlines()
    lines[2], lines[4] = (lines[at].replace("positive", "negative") for at in (2, 4))
    path.write_text("\n".join(lines))
    said = []
    assert demos.find(str(path), said.append).id == made.id
    assert said == ['"films": 2 texts have another label now, 1 added']
    now = {one.text: one for one in demos.store.examples(made.id)}
    assert len(now) == 13 and {now[review(at)[0]].label for at in (1, 3)} == {"negative"}
    assert now[held.text].part == "held-out" and demos.encoded(made.id) == (10, 13)
    demos.encode(made.id)
    assert demos.encoded(made.id) == (13, 13)
    said.clear()
    changed = demos.store.get(made.id).changed
    assert demos.find(str(path), said.append).changed == changed and said == []
    path.write_text("\n".join([*lines, f'"{review(5)[0]}",negative']))
    with pytest.raises(BadInput, match="duplicate: the same text stands in row 7"):
        demos.find(str(path))


def test_another_file_of_the_same_name_is_a_library_of_its_own(demos, tmp_path):
    for folder, numbers in (("a", range(10)), ("b", range(20, 30)), ("c", range(8, 16))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "films.csv").write_text(csv_of(numbers))
    said = []
    first = demos.find(str(tmp_path / "a" / "films.csv"), said.append)
    other = demos.find(str(tmp_path / "b" / "films.csv"), said.append)
    assert (first.name, other.name) == ("films", "films (2)") and first.size == other.size == 10
    assert said == ['there is another library "films": films.csv becomes "films (2)"']
    assert demos.find(str(tmp_path / "b" / "films.csv")).id == other.id == demos.find("films (2)").id
    # imported before it was written down where a file lies: known by a text that both have
    for one in (first, other):
        demos.store.configure(one.id, file=None)
    assert demos.find(str(tmp_path / "c" / "films.csv")).id == first.id
    assert demos.store.get(first.id).size == 16


def test_texts_of_a_run_that_was_never_whole_are_swept(demos, films, monkeypatch):
    run, _ = demos.start_run(films.id, pasted_table("text,x\nab,1\ncd,2\n"))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("engine.demonstrations.runs.publish_file", killed)
        demos.start_run(films.id, pasted_table("text,x\nprivate,1\nwords,2\n"))
    folder = demos.folder(films.id) / "runs"
    (half,) = [place for place in folder.iterdir() if place.name != run.id]
    Demonstrations(demos.library, read_table)
    assert (half / "texts.jsonl").exists()  # it may be in the making
    for place in folder.iterdir():
        os.utime(place, (0, 0))
    Demonstrations(demos.library, read_table)
    assert not half.exists() and [one.id for one in demos.runs(films.id)] == [run.id]


def test_removing_a_library_removes_everything(demos, films):
    demos.start_run(films.id, pasted_table("text,x\nab,1\ncd,2\n"))
    assert demos.store.remove(films.id) > 0
    assert demos.store.libraries() == [] and demos.jobs.all() == []
    assert not demos.folder(films.id).exists()
    assert demos.library.shelf.connections.db.execute("SELECT count(*) FROM examples").fetchone() == (0,)


def test_wilson_interval():
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1
