"""How form: how to classify, the same for a text, a file and a measurement."""

import gradio as gr

from engine.demonstrations.settings import Settings

CHOICES = {"At random, each label in turn": "random", "The most similar ones": "similar"}
MOST_SHOTS_SHOWN = 60


class HowForm:
    """How to classify: the same for a text, a file and a measurement."""

    def __init__(self) -> None:
        usual = Settings()
        with gr.Accordion("How it labels", open=False):
            with gr.Row():
                self.shots = gr.Slider(
                    0, MOST_SHOTS_SHOWN, value=usual.shots, step=1, label="Examples shown to the model",
                    min_width=200,
                )  # fmt: skip
                self.choose = gr.Radio(
                    list(CHOICES.items()), value=usual.choose, label="How those are chosen", min_width=200
                )
            with gr.Row():
                self.memory = gr.Checkbox(value=usual.memory, label="All examples are read in memory")
                self.vote = gr.Checkbox(value=usual.vote, label="The nearest examples vote as well")
        self.inputs = [self.shots, self.choose, self.memory, self.vote]


def settings_of(shots: float, choose: str, memory: bool, vote: bool) -> Settings:
    """Read the settings that a HowForm says. Raises BadInput."""
    return Settings(shots=int(shots), choose=choose or "random", memory=bool(memory), vote=bool(vote))
