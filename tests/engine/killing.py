"""Kill a run of training while it saves: what it wrote until then is all that it goes on from."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.training.averagedrun import AveragedRun


@contextmanager
def killed_after(saves: int) -> Iterator[None]:
    """Interrupt the run inside, once it has saved so many times."""
    save, saved = AveragedRun.save, []

    def killed(self, folder):
        save(self, folder)
        saved.append(self.step)
        if len(saved) == saves:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(AveragedRun, "save", killed)
        yield
