"""The text that simulated models say. Written for this project; it is about what the page is there to show."""

OPENING = "*This answer is simulated: the words were written beforehand, and only their timing is played.*"

PARAGRAPHS = (
    "**Why an answer streams.** A language model writes one token after another, and nothing forces it to keep the "
    "first one back until the last one is there. Sent as they are made, the words arrive at about the speed of "
    "reading. The whole answer is done no sooner; the wait in front of an empty screen is what goes away.",
    "**Two clocks.** The first one runs from the click to the first visible word, and it decides whether a page feels "
    "alive. The second one runs to the last word, and it decides when the work can go on. Streaming shortens the "
    "first and leaves the second alone, give or take a few milliseconds for each piece.",
    "**What stands before the first word.** The request crosses the network, waits for a free place, and then the "
    "model reads the prompt. Reading is work too: a long conversation is read again at every turn, so the first "
    "word comes later the longer one talks, unless the service remembers the beginning.",
    "**Pieces are not tokens.** A chunk on the wire may carry half a word, a sentence or the entire answer. Counting "
    "chunks therefore measures the packaging. An honest rate uses the count that the service reports at the end, and "
    "calls everything before that an estimate.",
    "**How to read the figures:**\n\n"
    "1. Look at the time to the first word. Below half a second it feels immediate.\n"
    "2. Look at the rate. Ten tokens a second can be read along; at fifty the eye only follows.\n"
    "3. Look at the longest gap. One pause of three seconds is remembered longer than a low average.\n"
    "4. Only then look at the total.",
    "**When complete is better.** A program that parses the answer gains nothing from half of it. Neither does a "
    "short label, a yes or no, or a batch that runs at night. There the complete call is simpler, easier to try "
    "again, and leaves no half sentence behind when the line breaks.",
    "**When the line breaks.** A stream can end in three ways: the model says that it is done, an error says what "
    "went wrong, or the bytes just stop. The third looks like the first to careless code. That is why an answer "
    "counts as complete only when its closing mark was seen.",
    "**A small experiment.** Ask the same question twice, once streamed and once complete, in changing order, and "
    "repeat it. One pair proves little, for both vary from call to call. After twenty pairs the difference has a "
    "size and a margin, and the margin is the part that people forget to print:\n\n"
    "```python\n"
    "saved = complete.time_to_visible - streamed.time_to_visible\n"
    "```",
    "**The shape of the flow.** Some models write like a clock, others in bursts, and some think for seconds before "
    "a sudden rush. The average hides this. A picture of the gaps between the pieces shows it at a glance: a flat "
    "line, a comb, or one tall spike at the beginning.",
    "**Stopping is a feature.** A reader who has seen enough wants the model to stop, and not only the page. So the "
    "connection has to be cut at its source. Whatever had arrived stays on the screen, marked as stopped, because "
    "half an answer is often all that was needed.",
)
