"""Finds a secret, or any twelve characters of one, in the service's output."""

import base64

WINDOW = 12
# Every window of twelve bytes holds a piece of six that begins at a multiple of seven: one look-up for seven bytes, and
# what is found is looked at closely.
PIECE = 6
STEP = WINDOW - PIECE + 1


def forms(secret):
    """A secret as it can be read: as it is, and inside a longer base64 at each of the three places it can have."""
    yield secret
    for place in range(3):
        inner = base64.b64encode(b"\0" * place + secret.encode()).decode()
        # What the neighbours of the secret would decide is cut off.
        yield inner[4 if place else 0:-4]


class Watch:
    def __init__(self, secrets):
        texts = [form.encode() for secret in secrets for form in forms(secret)]
        self.windows = {text[at:at + WINDOW] for text in texts for at in range(len(text) - WINDOW + 1)}
        self.pieces = {text[at:at + PIECE] for text in texts for at in range(len(text) - PIECE + 1)}

    def find(self, data):
        """Where the first window of a secret begins in these bytes, or None. It is not printed: a test has a log, too."""
        for at in range(0, len(data) - PIECE + 1, STEP):
            if data[at:at + PIECE] in self.pieces:
                for start in range(max(0, at - WINDOW + PIECE), at + 1):
                    if data[start:start + WINDOW] in self.windows:
                        return start
        return None
