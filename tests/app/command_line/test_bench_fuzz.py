"""Hostile files are made of every format that is read, and each is made again by its number."""

from app.command_line.bench_fuzz import FORMS, made
from app.command_line.fuzz_samples import samples
from ingest.formats import FORMATS


def test_there_is_a_sound_file_of_every_format_to_harm():
    assert set(samples()) == set(FORMS) >= {form.parser.NAME for form in FORMATS}


def test_a_hostile_file_is_made_again_by_its_number():
    assert all(made(1, form, 7) == made(1, form, 7) for form in FORMS)
