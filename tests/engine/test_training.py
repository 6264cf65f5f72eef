"""Training: identity start, frozen backbone, rings that belong to a book, identical losses after a kill."""

import argparse
import dataclasses
import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, mean_sidenet
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training import train as command
from engine.training.activations import TextBooks, Wanted, freeze, recall
from engine.training.chats import prompts
from engine.training.checkpoint import load_state
from engine.training.curves import read_log, smoothed
from engine.training.learners import SideNetLearner, optimiser, trained_states
from engine.training.memtrm import load_memtrm
from engine.training.ring import Ring
from engine.training.rows import Rows
from engine.training.settings import METHODS, TrainingSettings
from engine.training.trainer import Trainer, chat_divergence
from ingest.errors import BadInput
from tests.engine.commands import parsed, plain
from tests.engine.families import tiny_model

NAMES = ["Ishmael", "Queequeg", "Starbuck", "Pip", "Ahab"]
TINY = TrainingSettings(
    steps=6, rows=2, segment=32, first_layer=1, capacity=64, warmup=2, rate=1e-3, kl_every=2, loss_share=0.5
)

FORMS = ({"memory_values": "following"}, {"branch_scale": "carried"})
CARRIED = "--branch-scale carried --parts memory --copy-steps 4 --foreign 0.5 --chunk-size 2 --top-k 3"


def text(number: int, words: int = 60) -> str:
    return " ".join(f"{NAMES[(i * (number + 2)) % 5]} saw {i}." for i in range(words))


def make(backbone: Backbone, **settings) -> SideNet:
    torch.manual_seed(0)
    return SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,), **settings), backbone)


def books(backbone: Backbone, sidenet: SideNet, count: int = 3, **options) -> TextBooks:
    texts = {f"book {n}": lambda n=n: text(n) for n in range(count)}
    states = trained_states(sidenet, TINY)
    return TextBooks(backbone, texts, Wanted.of(sidenet.config, states), segment=32, limit=5, **options)


def trainer(backbone: Backbone, settings: TrainingSettings = TINY, chats=(), **config) -> Trainer:
    sidenet = make(backbone, **config)
    return Trainer(sidenet, backbone, Rows(books(backbone, sidenet), settings.rows, 1), settings, chats)


def vectors(config: SideNetConfig, time: int, seed: int) -> dict[int, torch.Tensor]:
    torch.manual_seed(seed)
    return {block: torch.randn(time, config.kv_heads, config.head_dim) for block in config.memory_blocks}


class TestRing:
    @pytest.fixture
    def sidenet(self, backbone) -> SideNet:
        return make(backbone, search="pooled", search_block=1, search_dim=8, top_k=3)

    def filled(self, sidenet: SideNet, capacity: int, segments: int) -> tuple[Ring, torch.Tensor]:
        config = sidenet.config
        ring, kept = Ring(config, 2, capacity), []
        for number in range(segments):
            keys, values = vectors(config, 8, number), vectors(config, 8, 100 + number)
            ring.append(0, torch.arange(8), keys, values, torch.randn(8, config.width))
            kept.append(keys[config.memory_blocks[0]])
        return ring, torch.cat(kept).half().float()

    def query(self, sidenet: SideNet, time: int = 5) -> torch.Tensor:
        torch.manual_seed(9)
        return torch.randn(1, time, sidenet.config.heads, sidenet.config.head_dim)

    def test_dense_reads_what_was_stored(self, sidenet):
        ring, kept = self.filled(sidenet, 32, 3)
        found = ring.reader(0).read(1, self.query(sidenet), None)
        torch.testing.assert_close(found.keys[0, 0].transpose(0, 1), kept)
        assert found.mask.all()

    def test_keeps_the_newest(self, sidenet):
        ring, kept = self.filled(sidenet, 16, 5)
        found = ring.reader(0).read(1, self.query(sidenet), None).keys[0, 0].transpose(0, 1)
        stored = {tuple(token.flatten().tolist()) for token in found}
        assert stored == {tuple(token.flatten().tolist()) for token in kept[-16:]}

    def test_a_row_sees_only_its_own(self, sidenet):
        ring, _ = self.filled(sidenet, 32, 3)
        assert ring.reader(1).read(1, self.query(sidenet), None).keys.shape[3] == 0

    def test_cleared(self, sidenet):
        ring, _ = self.filled(sidenet, 32, 3)
        ring.clear(0)
        assert ring.reader(0, "sparse").read(1, self.query(sidenet), None).keys.shape[3] == 0

    def test_sparse_by_attention_takes_the_best_chunks_of_each_head(self, sidenet):
        ring, kept = self.filled(sidenet, 32, 3)
        query = self.query(sidenet)
        found = ring.reader(0, "sparse", top_k=2).read(1, query, None)
        means = kept.unflatten(0, (-1, 4)).mean(1)
        per_kv = sidenet.config.heads // sidenet.config.kv_heads
        for time, head in itertools.product(range(5), range(sidenet.config.heads)):
            scores = means[:, head // per_kv] @ query[0, time, head]
            assert set(found.chunks[0, time, head].tolist()) == set(scores.topk(2).indices.tolist())
            expected = torch.cat(
                [kept[c * 4 : c * 4 + 4, head // per_kv] for c in found.chunks[0, time, head]]
            )
            torch.testing.assert_close(found.keys[0, time, head], expected)

    def test_sparse_by_the_learned_map_takes_one_set_for_all_heads(self, sidenet):
        ring, kept = self.filled(sidenet, 32, 3)
        search = torch.nn.functional.normalize(torch.randn(1, 5, 8), dim=-1)
        found = ring.reader(0, "sparse", sidenet.search).read(1, self.query(sidenet), search)
        index = sidenet.search.keys(ring.pooled[0, :6])
        for time in range(5):
            best = (index @ search[0, time]).topk(3).indices
            assert set(found.chunks[0, time, 0].tolist()) == set(best.tolist())
        first = found.chunks[0, 0, 0, 0].item() * 4
        torch.testing.assert_close(found.keys[0, 0, :, :4], kept[first : first + 4].transpose(0, 1))

    def test_sparse_over_everything_is_dense(self, backbone, sidenet):
        ring, _ = self.filled(sidenet, 32, 3)
        torch.nn.init.normal_(sidenet.layers[1].memory.null_value)
        query, attention = self.query(sidenet), sidenet.layers[1].memory
        dense = attention(query, ring.reader(0).read(1, query, None))[0]
        sparse = attention(query, ring.reader(0, "sparse", top_k=6).read(1, query, None))[0]
        torch.testing.assert_close(dense, sparse)

    def test_survives_a_checkpoint(self, sidenet):
        ring, _ = self.filled(sidenet, 16, 5)
        copy = Ring(sidenet.config, 2, 16)
        copy.restore(ring.state())
        for mine, other in ((ring.keys, copy.keys), (ring.values, copy.values)):
            for block in mine:
                assert torch.equal(mine[block], other[block])
        assert torch.equal(ring.pooled, copy.pooled)
        assert copy.written == ring.written

    def test_refuses_what_does_not_fit(self, sidenet):
        ring = Ring(sidenet.config, 1, 16)
        with pytest.raises(ValueError, match="whole chunks"):
            ring.append(0, torch.arange(6), vectors(sidenet.config, 6, 0), vectors(sidenet.config, 6, 1))
        with pytest.raises(ValueError, match="longer than the ring"):
            ring.append(0, torch.arange(20), vectors(sidenet.config, 20, 0), vectors(sidenet.config, 20, 1))


class TestRows:
    class Source:
        names = ["a", "b", "c", "empty"]
        lengths = [3, 1, 2, 0]

        def length(self, book):
            return self.lengths[book]

        def segments(self, places):
            return list(places)

    def test_consecutive_segments_of_one_book_then_the_next(self):
        rows = Rows(self.Source(), 2, seed=3)
        seen = [rows.next((0, 1)) for _ in range(12)]
        for row in (0, 1):
            for before, after in itertools.pairwise(step[row] for step in seen):
                if after.fresh:
                    assert after.frozen[1] == 0
                    assert before.frozen[1] == self.Source.lengths[before.book] - 1
                else:
                    assert after.frozen == (before.book, before.frozen[1] + 1)
        assert {step[0].book for step in seen} == {0, 1, 2}

    def test_goes_on_where_it_was(self):
        rows = Rows(self.Source(), 2, seed=3)
        for _ in range(2):
            rows.next((0, 1))
        other = Rows(self.Source(), 2, seed=3)
        other.restore(rows.state())
        for _ in range(5):
            assert rows.next((0, 1)) == other.next((0, 1))

    def test_a_row_of_another_process_is_dealt_and_not_read(self):
        whole, half = Rows(self.Source(), 2, seed=3), Rows(self.Source(), 2, seed=3)
        for _ in range(5):
            (first, second), (other, mine) = whole.next((0, 1)), half.next((1,))
            assert mine == second
            assert (other.frozen, other.book, other.fresh) == (None, first.book, first.fresh)

    def test_no_book_is_an_error(self):
        source = self.Source()
        source.lengths = [0, 0, 0, 0]
        with pytest.raises(ValueError, match="whole segment"):
            Rows(source, 1, seed=0).next((0,))


class TestActivations:
    def test_kept_on_disk_in_half_precision(self, backbone, tmp_path):
        sidenet = make(backbone)
        live = books(backbone, sidenet)
        kept = books(backbone, sidenet, folder=tmp_path)
        fresh, first, again = live.segment(1, 2), kept.segment(1, 2), kept.segment(1, 2)
        assert len(list(tmp_path.glob("*.safetensors"))) == 1
        assert torch.equal(fresh.ids, first.ids)
        for name in ("hidden", "keys", "values"):
            for number, tensor in getattr(fresh, name).items():
                torch.testing.assert_close(getattr(first, name)[number], tensor, atol=2e-2, rtol=1e-3)
                assert torch.equal(getattr(first, name)[number], getattr(again, name)[number])

    def test_what_is_kept_of_another_precision_is_not_taken(self, backbone, tmp_path, tiny_tokenizer):
        half = Backbone(tiny_model("llama").bfloat16(), tiny_tokenizer, "tiny")
        assert half.fingerprint == backbone.fingerprint
        sidenet = make(backbone)
        for one in (half, backbone):
            books(one, sidenet, folder=tmp_path).segment(1, 2)
        assert len(list(tmp_path.glob("*.safetensors"))) == 2

    def test_what_is_kept_comes_back_where_the_backbone_is(self, backbone, tmp_path):
        books(backbone, make(backbone), folder=tmp_path).segment(1, 2)
        (file,) = tmp_path.glob("*.safetensors")
        frozen = recall(file, "meta")
        tensors = [*frozen.hidden.values(), *frozen.keys.values(), *frozen.values.values(), frozen.ids]
        assert {tensor.device.type for tensor in tensors} == {"meta"}

    def test_skip_and_limit(self, backbone):
        sidenet = make(backbone)
        whole = books(backbone, sidenet)
        later = books(backbone, sidenet, skip=2)
        assert whole.length(0) == 5
        assert torch.equal(later.segment(0, 0).ids, whole.segment(0, 2).ids)


class TestTrainer:
    @pytest.mark.parametrize("reading", ["dense", "sparse"])
    def test_learns_and_leaves_the_backbone_alone(self, backbone, reading):
        before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
        run = trainer(backbone, dataclasses.replace(TINY, steps=16, reading=reading, scale_rate=0.04))
        losses = [run.step().loss for _ in range(16)]
        assert sum(losses[-4:]) < sum(losses[:4]) - 0.2
        for name, tensor in backbone.model.state_dict().items():
            assert torch.equal(tensor, before[name])

    @pytest.mark.parametrize("parts", ["all", "memory"])
    @pytest.mark.parametrize("reading", ["dense", "sparse"])
    @pytest.mark.parametrize("config", [{}, *FORMS, {"null_slot": False}])
    def test_rows_at_once_take_the_steps_of_one_after_another(self, backbone, parts, reading, config):
        settings = dataclasses.replace(
            TINY, rows=3, forget=0.3, parts=parts, reading=reading, rate=1e-4, scale_rate=1e-3,
            copy_steps=3, foreign=0.5,
        )  # fmt: skip
        runs = [
            trainer(backbone, dataclasses.replace(settings, batch=batch), top_k=3, gate_start=0.5, **config)
            for batch in (1, 3)
        ]
        for run in runs:
            with torch.no_grad():
                run.model.layers[1].memory.gate.fill_(0.3)
                if run.model.layers[1].attention_scale is not None:
                    run.model.layers[1].attention_scale.fill_(0.3)
        for _ in range(4):
            one, other = (run.step() for run in runs)
            for name in ("loss", "gate", "null_mass", "memory_tokens", "gradient"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-3, abs=1e-6), name
            assert other.gradient > 0

    def test_first_loss_is_the_backbones(self, backbone):
        run = trainer(backbone, dataclasses.replace(TINY, loss_share=1.0, rows=1))
        frozen = run.rows.source.segment(Rows(run.rows.source, 1, 1).next((0,))[0].book, 0)
        logits = backbone.model(frozen.ids[None]).logits[0, :-1]
        expected = torch.nn.functional.cross_entropy(logits, frozen.ids[1:]).item()
        assert run.step().loss == pytest.approx(expected, abs=1e-4)

    def test_lower_layers_stay_inert(self, backbone):
        run = trainer(backbone)
        for _ in range(3):
            run.step()
        assert not run.model.layers[0].active
        assert run.model.layers[1].attention_scale.any()

    def test_memory_is_cleared_when_a_book_ends(self, backbone):
        run = trainer(backbone, dataclasses.replace(TINY, rows=1))
        held = [run.step().memory_tokens for _ in range(6)]
        assert held == [0, 32, 64, 64, 64, 0]

    def test_a_segment_finds_itself_while_memory_warms_up(self, backbone):
        run = trainer(backbone, dataclasses.replace(TINY, rows=1, copy_steps=2))
        held = [run.step().memory_tokens for _ in range(3)]
        assert held[0] == 32
        assert held[2] == 64
        usual = trainer(backbone, dataclasses.replace(TINY, rows=1))
        assert [usual.step().memory_tokens for _ in range(3)] == [0, 32, 64]

    def test_a_foreign_book_stands_beside_ones_own(self, backbone):
        run = trainer(backbone)
        run.step()
        own, other = run.ring.reader(0), run.ring.reader(1)
        both = run.ring.reader(0, beside=1)
        assert torch.equal(both.following, torch.cat((own.following, other.following)))
        for block in both.keys:
            assert torch.equal(both.keys[block], torch.cat((own.keys[block], other.keys[block]), dim=1))
            assert torch.equal(both.values[block], torch.cat((own.values[block], other.values[block]), dim=1))

    def test_control_reads_the_same_tokens_without_memory(self, backbone):
        run = trainer(backbone, dataclasses.replace(TINY, capacity=0))
        reports = [run.step() for _ in range(3)]
        assert all(report.memory_tokens == 0 for report in reports)
        assert torch.equal(run.model.layers[1].memory.gate, make(backbone).layers[1].memory.gate)

    @pytest.mark.parametrize("parts", ["all", "memory"])
    def test_control_sees_the_same_segments_and_positions(self, backbone, monkeypatch, parts):
        """Every target that the loss is taken at, in order, with memory and without."""
        seen: list[torch.Tensor] = []
        loss = torch.nn.functional.cross_entropy

        def noting(logits, targets):
            seen.append(targets.clone())
            return loss(logits, targets)

        monkeypatch.setattr("engine.training.trainer.F.cross_entropy", noting)
        chat = self.chat(backbone)
        for capacity in (64, 0):
            run = trainer(backbone, dataclasses.replace(TINY, capacity=capacity, parts=parts), [chat, chat])
            for _ in range(5):
                run.step()
        with_memory, without = seen[: len(seen) // 2], seen[len(seen) // 2 :]
        assert len(without) == 10
        assert all(torch.equal(a, b) for a, b in zip(with_memory, without, strict=True))

    def test_control_of_the_memory_parts_learns_the_same_parts(self, backbone):
        """With memory withheld only the last norm and what the null slot gives can move the loss."""
        settings = dataclasses.replace(TINY, parts="memory", weight_decay=0.0)
        run, other = trainer(backbone, dataclasses.replace(settings, capacity=0)), trainer(backbone, settings)
        layer = run.model.layers[1]
        with torch.no_grad():  # as the closed-form start leaves them
            layer.memory.gate.fill_(30.0)
            layer.attention_scale.fill_(0.5)
        names = [[n for n, p in one.model.named_parameters() if p.requires_grad] for one in (run, other)]
        assert names[0] == names[1]
        query = layer.query.weight.clone()
        before = run.model.norm.weight.clone()
        for _ in range(4):
            run.step()
        assert torch.equal(layer.query.weight, query)
        assert not torch.equal(run.model.norm.weight, before)
        assert layer.memory.null_value.any()

    def chat(self, backbone: Backbone):
        sidenet = make(backbone).eval()
        wanted = Wanted.of(sidenet.config, trained_states(sidenet, TINY))
        return freeze(backbone, torch.tensor(backbone.tokenizer("Who is Pip? Tell me.")["input_ids"]), wanted)

    def test_chat_prompts_pull_towards_the_backbone(self, backbone):
        chat = self.chat(backbone)
        assert chat_divergence(make(backbone).eval(), backbone, chat).abs().max() < 1e-5
        divergences = []
        for weight in (0.0, 20.0):
            settings = dataclasses.replace(TINY, steps=12, kl_weight=weight, kl_every=1, scale_rate=0.02)
            run = trainer(backbone, settings, [chat])
            for _ in range(12):
                run.step()
            divergences.append(chat_divergence(run.model, backbone, chat).mean().item())
        assert divergences[1] < 0.7 * divergences[0]

    def test_learning_rate_rises_then_falls(self):
        settings = TrainingSettings(steps=110, warmup=10, final_share=0.1)
        factors = [settings.factor(step) for step in range(111)]
        assert factors[0] == pytest.approx(0.1)
        assert factors[10] == pytest.approx(1.0)
        assert factors[60] == pytest.approx(0.55)
        assert factors[110] == pytest.approx(0.1)


def process(rank: int, arguments: argparse.Namespace, port: int) -> None:
    """One of two processes at the same run, told so as `accelerate launch` and torchrun tell them."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command.draw_curves = lambda *_: None
    command.run(arguments)
    torch.distributed.destroy_process_group()


class TestRun:
    """The command, on a tiny model and three short texts."""

    def arguments(self, tmp_path: Path, tiny_folder: Path, out: str, *more: str) -> argparse.Namespace:
        folder = tmp_path / "books"
        folder.mkdir(exist_ok=True)
        for number in range(3):
            (folder / f"{number}.txt").write_text(text(number, 40))
        words = f"--books {folder} --out {tmp_path / out} --model {tiny_folder} --segment 32 --capacity 64"
        words += " --steps 6 --first-layer 1 --memory-layers 1 --warmup 2 --save 2 --seed 4 --limit 4"
        words += " --chats 2 --kl-every 2"
        return parsed(command, *words.split(), *more, parse_file=plain)

    @pytest.fixture
    def train(self, tmp_path, tiny_folder) -> Callable[..., None]:
        """Run the command into a folder of that name."""
        return lambda out, *more: command.run(self.arguments(tmp_path, tiny_folder, out, *more))

    def losses(self, folder: Path) -> list[tuple[str, str, str]]:
        return [(row["step"], row["loss"], row["kl"]) for row in read_log(folder / "log.csv")]

    @pytest.fixture(autouse=True)
    def no_pictures(self, request, monkeypatch):
        """Curves take longer than the tiny training; the one test that looks at them draws them."""
        if "curves" not in request.node.name:
            monkeypatch.setattr(command, "draw_curves", lambda *_: None)

    @pytest.mark.parametrize("chosen", [*(f"--method {method}" for method in METHODS), CARRIED])
    def test_identical_after_a_kill(self, tmp_path, tiny_folder, monkeypatch, chosen):
        def arguments(out: str) -> argparse.Namespace:
            return self.arguments(tmp_path, tiny_folder, out, *chosen.split())

        assert command.run(arguments("whole")) == 0
        step = Trainer.step

        def killed(self):
            if self.done == 5:
                raise KeyboardInterrupt
            return step(self)

        monkeypatch.setattr(Trainer, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            command.run(arguments("cut"))
        monkeypatch.setattr(Trainer, "step", step)
        assert len(self.losses(tmp_path / "cut")) == 5  # one step after the last checkpoint, at 4
        command.run(arguments("cut"))
        assert self.losses(tmp_path / "cut") == self.losses(tmp_path / "whole")

    def test_curves_are_drawn(self, train, tmp_path):
        train("run", "--steps", "2")
        assert (tmp_path / "run" / "curves.png").read_bytes()[:4] == b"\x89PNG"

    @pytest.mark.parametrize(
        "chosen",
        [
            "--method memtrm",
            "--method sidenet",
            "--memory-values following --copy-start 3 --batch 2",
            CARRIED,
        ],
    )
    def test_bf16_runs(self, train, tmp_path, chosen):
        """Weights in training stay fp32: steps too small for bf16 still add up."""
        out = tmp_path / "run"
        more = ["--bf16", *chosen.split(), "--rate", "1e-4", "--steps", "4"]
        train("run", *more)
        losses = [float(row["loss"]) for row in read_log(out / "log.csv")]
        assert all(0 < loss < 20 for loss in losses)
        state = torch.load(out / "state.pt", weights_only=True)
        assert {tensor.dtype for tensor in state["trained"].values()} == {torch.float32}

    def test_memtrm_leaves_a_checkpoint(self, train, tmp_path, tiny_folder):
        train("run", "--no-chats", "--method", "memtrm")
        model = load_memtrm(tmp_path / "run", load_backbone(Paths(tmp_path), str(tiny_folder)))
        assert model.block == 3  # whose keys side layer 1 of reduction 2 reads
        with pytest.raises(BadInput, match="copy-start"):
            more = ["--no-chats", "--method", "memtrm", "--copy-start", "2"]
            train("other", *more)

    def test_two_processes_take_the_steps_of_one(self, train, tmp_path, tiny_folder):
        more = ["--rows", "3", "--steps", "4", "--save", "4"]
        train("one", *more)
        made = self.arguments(tmp_path, tiny_folder, "two", *more)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        multiprocessing.spawn(process, (made, port), nprocs=2)
        one, two = (read_log(tmp_path / name / "log.csv") for name in ("one", "two"))
        for single, shared in zip(one, two, strict=True):
            for column in ("loss", "kl", "gate", "null_mass", "memory_tokens", "gradient"):
                assert float(shared[column] or 0) == pytest.approx(float(single[column] or 0), rel=1e-3)
        states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("one", "two")]
        assert states[0]["ring"]["written"] == states[1]["ring"]["written"]
        assert states[0]["rows"] == states[1]["rows"]
        assert torch.equal(states[0]["random"], states[1]["random"])

    def test_what_it_leaves_is_a_checkpoint(self, train, tmp_path, tiny_folder):
        train("run", "--no-chats")
        sidenet = load_sidenet(tmp_path / "run", load_backbone(Paths(tmp_path), str(tiny_folder)))
        assert sidenet.config.memory_layers == (1,)
        assert sidenet.reads_memory

    def test_keeps_the_mean_with_another_run(self, train, tmp_path, tiny_folder):
        backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
        train("one", "--no-chats")
        more = ["--no-chats", "--steps", "2", "--start", str(tmp_path / "one")]
        train("two", *more)
        train("mean", *more, "--mean-with", str(tmp_path / "one"))
        one, two, mean = (load_sidenet(tmp_path / name, backbone).float() for name in ("one", "two", "mean"))
        for (name, first), second, between in zip(
            one.named_parameters(), two.parameters(), mean.parameters(), strict=True
        ):
            torch.testing.assert_close(between, (first + second) / 2, atol=2e-3, rtol=1e-2, msg=name)
        assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
        other = make(backbone, top_k=3)
        with pytest.raises(BadInput, match="configured differently"):
            mean_sidenet(one, other)

    @pytest.mark.parametrize("file", ["model", "state", "curves"])
    def test_killed_while_it_keeps_its_last_step(self, train, tmp_path, monkeypatch, file):
        """What the same command leaves then is what an uninterrupted run leaves, the mean included."""
        train("other", "--no-chats")
        more = ["--no-chats", "--steps", "2", "--mean-with", str(tmp_path / "other")]
        train("whole", *more)
        places = {"model": (SideNetLearner, "save"), "state": (command, "save_state"),
                  "curves": (command, "draw_curves")}  # fmt: skip

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
            cut.setattr(*places[file], killed)
            train("cut", *more)
        for _ in range(2):  # run once more, it changes nothing
            train("cut", *more)
            whole, cut = ((tmp_path / name / "sidenet.safetensors").read_bytes() for name in ("whole", "cut"))
            assert whole == cut

    def test_memory_parts_alone_from_the_closed_form_start(self, train, tmp_path):
        more = ["--copy-start", "6", "--parts", "memory", "--no-chats"]
        train("run", *more)
        tensors = load_file(tmp_path / "run" / "sidenet.safetensors")
        parts = {name.removeprefix("layers.1.") for name in tensors}
        assert parts == {
            "attention_norm.weight", "query.weight", "output.weight", "attention_scale", "memory.gate",
            "memory.null_key", "memory.null_bias", "memory.null_value", "norm.weight",
        }  # fmt: skip
        losses = [float(row["loss"]) for row in read_log(tmp_path / "run" / "log.csv")]
        assert losses[-1] < losses[0] + 0.5

    def test_whole_layers_above_a_memory_layer_that_learned_before(self, train, tmp_path):
        """Run 2 trains from its first layer on; the memory layer below goes on reading, unchanged."""
        more = ["--memory-values", "following", "--memory-layers", "0", "--no-chats"]
        lower = [*more, "--first-layer", "0", "--parts", "memory", "--copy-start", "3"]
        train("lower", *lower)
        upper = ["--start", str(tmp_path / "lower"), "--rows", "3", "--batch", "3"]
        train("upper", *more, *upper)
        one, two = (load_file(tmp_path / name / "sidenet.safetensors") for name in ("lower", "upper"))
        assert torch.equal(one["layers.0.memory.gate"], two["layers.0.memory.gate"])
        assert two["layers.1.mlp_scale"].any()
        with pytest.raises(BadInput, match="first-layer 0"):
            train("other", *more, "--copy-start", "3")

    def test_the_lowest_memory_layer_learns_unless_told_otherwise(self, train, tmp_path, tiny_folder):
        made = self.arguments(tmp_path, tiny_folder, "run", "--no-chats", "--scale-rate", "0.1")
        made.first_layer = None
        command.run(made)
        tensors = load_file(tmp_path / "run" / "sidenet.safetensors")
        assert "layers.1.memory.gate" in tensors and not any(name.startswith("layers.0.") for name in tensors)
        assert max(float(row["null_mass"]) for row in read_log(tmp_path / "run" / "log.csv")) > 0
        with pytest.raises(BadInput, match="would not learn; give --first-layer 1"):
            train("other", "--no-chats", "--first-layer", "2")

    @pytest.mark.parametrize("values", ["attention", "following"])
    def test_memory_parts_learn_in_the_network_that_is_kept(self, train, tmp_path, values):
        """Whole layers that were learned before count while the memory parts of these learn alone."""
        whole = ["--no-chats", "--memory-values", values, "--scale-rate", "0.5"]
        train("whole", *whole)
        assert load_file(tmp_path / "whole" / "sidenet.safetensors")["layers.1.mlp_scale"].any()
        more = ["--no-chats", "--start", str(tmp_path / "whole"), "--steps", "1", "--parts"]
        for parts in ("all", "memory"):
            train(parts, *more, parts)
        (one,), (other,) = (self.losses(tmp_path / parts) for parts in ("all", "memory"))
        assert float(other[1]) == pytest.approx(float(one[1]), rel=1e-4)

    def test_another_start_or_other_books_do_not_go_on(self, train, tmp_path):
        for name, seed in (("one", "1"), ("two", "2")):
            more = ["--no-chats", "--seed", seed, "--steps", "2"]
            train(name, *more)
        more = ["--no-chats", "--steps", "2", "--start"]
        train("run", *more, str(tmp_path / "one"))
        train("run", *more, str(tmp_path / "one"))
        with pytest.raises(BadInput, match="another --start"):
            train("run", *more, str(tmp_path / "two"))
        (tmp_path / "books" / "more.txt").write_text(text(7, 40))
        with pytest.raises(BadInput, match="another --books"):
            train("run", *more, str(tmp_path / "one"))

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ("--held-out A B", "--held-out"),
            ("--method memtrm --memory-values following", "--memory-values is of the SideNet"),
            ("--method memtrm --search-map DIR", "--search-map is of the SideNet"),
            ("--method memtrm --mean-with DIR", "--mean-with is of the SideNet"),
            ("--start DIR --copy-start 3", "beside --start"),
            ("--start ONE --memory-layers 0", "leave --memory-layers out"),
            ("--start ONE --memory-values following", "leave --memory-values out"),
            ("--mean-with DIR", "checkpoint"),
            ("--segment 34", "multiple of 4"),
            ("--capacity 66", "multiple of 4"),
        ],
    )
    def test_options_that_would_do_nothing_are_refused(self, train, tmp_path, options, words):
        if "ONE" in options:
            train("one", "--no-chats", "--steps", "1")
        options = options.replace("ONE", str(tmp_path / "one")).replace("DIR", str(tmp_path / "none"))
        with pytest.raises(BadInput, match=words):
            train("run", "--no-chats", *options.split())
        assert not (tmp_path / "run" / "log.csv").exists()

    def test_the_first_segments_need_the_first_books_alone(self, backbone):
        parsed = []
        texts = {str(n): lambda n=n: parsed.append(n) or text(n) for n in range(50)}
        source = TextBooks(backbone, texts, Wanted((), ()), segment=32, limit=2)
        found = list(command.first_segments(source, 3))
        assert parsed == [0, 1, 2] and len(found) == 3
        few = TextBooks(backbone, {"0": lambda: text(0)}, Wanted((), ()), segment=32, limit=2)
        assert len(list(command.first_segments(few, 9))) == 2

    def test_other_settings_do_not_go_on(self, train, tmp_path):
        train("run", "--no-chats")
        with pytest.raises(BadInput, match="other settings"):
            train("run", "--no-chats", "--rate", "0.5")
        with pytest.raises(BadInput, match="--limit 4, not 5; give that"):
            train("run", "--no-chats", "--limit", "5")
        # what an earlier version kept and this one does not is no reason
        (tmp_path / "run" / "options.json").write_text('{"limit": 4, "memory_layers": "1"}')
        train("run", "--no-chats")

    def test_no_books(self, tmp_path, tiny_folder):
        made = self.arguments(tmp_path, tiny_folder, "run")
        made.books = tmp_path / "nowhere"
        with pytest.raises(BadInput, match="no books"):
            command.run(made)


def test_states_of_a_run_without_checkpoint(tmp_path):
    assert load_state(tmp_path, TINY) is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("reading", "loose", "reading"),
        ("parts", "some", "parts"),
        ("capacity", 16, "no segment"),
        ("loss_share", 0.0, "loss_share"),
        ("forget", 1.0, "forget"),
        ("foreign", 1.5, "foreign"),
        ("copy_steps", -1, "copy_steps"),
        ("batch", 0, "batch"),
        ("accumulate", 0, "accumulate"),
        ("kl_every", 0, "kl_every"),
    ],
)
def test_settings_are_checked(field, value, words):
    with pytest.raises(BadInput, match=words):
        dataclasses.replace(TINY, **{field: value})


def test_matrices_decay_and_what_null_slots_give_does_not(backbone):
    sidenet = make(backbone)
    SideNetLearner(sidenet).open(TINY)
    made = optimiser(sidenet, dataclasses.replace(TINY, weight_decay=0.1))
    decay = {id(one): group["weight_decay"] for group in made.param_groups for one in group["params"]}
    layer = sidenet.layers[1]
    assert decay[id(layer.query.weight)] == 0.1
    assert decay[id(layer.memory.null_value)] == decay[id(layer.attention_norm.weight)] == 0


def test_running_mean():
    assert smoothed([1, 3, 5], 2) == [1, 2, 4]


def test_prompts_for_training_and_for_the_check_differ():
    train, check = prompts(200, 1, half=0), prompts(200, 2, half=1)
    assert len(set(check)) == 200
    assert not set(train) & set(check)
