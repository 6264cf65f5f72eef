"""Jobs as HTML: how far it is, and what can be done about it. Plain functions to HTML."""

from dataclasses import dataclass

from app.html import markup
from app.html.markup import Html
from app.html.wording import SHELF, here
from engine.shelf.jobs import Job

STAGES = {"": "waiting for its turn", "recognise": "recognising text", "parse": "reading the file",
          "encode": "filling the memory", "classify": "labelling", "publish": "finishing"}  # fmt: skip
COUNTING = ("encode", "classify")
CAN_BE_RECOGNISED = "(--ocr)"  # in the message of a scan that was refused
ORDER = ("next", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Waiting:
    """The place of a job among those that wait, from 1, and how long it may be until its turn."""

    place: int
    seconds: float | None = None


def buttons(job: Job | None, name: str, **values: object) -> list[Html]:
    """Write what can be done about a job that has not ended well; `name`: of what it works on."""
    if job is None:
        return []
    wanted = []
    if job.state in ("queued", "running"):
        wanted = [("Cancel", "cancel")] if job.wish == "pause" else [("Pause", "pause"), ("Cancel", "cancel")]
    elif job.state in ("paused", "failed", "cancelled"):
        wanted = [("Go on" if job.state == "paused" else "Try again", "resume")]
        wanted += [("Recognise text", "recognise")] if CAN_BE_RECOGNISED in job.message else []
    return [
        markup.button(label, action, job=job.id, aria_label=f"{label}: {name}", **values)
        for label, action in wanted
    ]


def progress(job: Job, counted: str = "", waiting: Waiting | None = None) -> Html:
    """Write a job's bar and what it is doing; what failed has no bar. counted, waiting: see `words`."""
    said = markup.tag("p", words(job, counted, waiting))
    if job.state == "failed":
        return markup.tag("div", said, class_="lm-job lm-failed")
    bar = markup.tag("progress", max="100", value=f"{job.percentage:.1f}", aria_label="progress")
    return markup.tag("div", bar, said, class_="lm-job")


def words(job: Job, counted: str = "", waiting: Waiting | None = None) -> str:
    """Tell the stage, percentage and time left of a job; for one that stands still, why.

    counted: what its stages count, where it is not tokens. waiting: its place among those that wait.
    """
    if job.state == "failed":
        return f"It failed: {here(job.message, SHELF)}"
    if job.state == "cancelled":
        return f"cancelled at {job.percentage:.0f} %"
    if job.state == "paused":
        return f"paused at {job.percentage:.0f} %" + (f" ({job.message})" if job.message else "")
    if job.state == "queued" and waiting is not None:
        place = ORDER[waiting.place - 1] if waiting.place <= len(ORDER) else f"{waiting.place}th"
        return f"{place} in line" + (f", about {duration(waiting.seconds)}" if waiting.seconds else "")
    if job.state == "queued":
        return f"waiting for its turn, {job.percentage:.0f} % done"
    parts = [STAGES.get(job.stage, job.stage)]
    if counted and job.stage in COUNTING:
        parts.append(f"{job.done:,} of {job.total:,} {counted}")
    if job.stage == "recognise" and job.total > 1:
        parts.append(f"{job.done:,} of {job.total:,} pages")
    parts.append(f"{job.percentage:.0f} %")
    if job.wish:
        parts.append("stopping after the piece in hand")
    if job.seconds_left is not None:
        parts.append(f"about {duration(job.seconds_left)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Put seconds into words: 5400 -> '1.5 hours'."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
