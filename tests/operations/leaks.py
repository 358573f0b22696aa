"""Finds a secret, or any twelve characters of one, in the service's output."""

import base64

WINDOW = 12
# Every window of twelve bytes contains a piece of six that begins at a multiple of seven. So one look-up for seven
# bytes is enough; only the matches are compared completely.
PIECE = 6
STEP = WINDOW - PIECE + 1


def forms(secret):
    """A secret in its readable forms: plain, and in base64 at each of the three possible offsets."""
    yield secret
    for place in range(3):
        inner = base64.b64encode(b"\0" * place + secret.encode()).decode()
        # The characters that depend on the bytes around the secret are cut off.
        yield inner[4 if place else 0:-4]


class Watch:
    def __init__(self, secrets):
        texts = [form.encode() for secret in secrets for form in forms(secret)]
        self.windows = {text[at:at + WINDOW] for text in texts for at in range(len(text) - WINDOW + 1)}
        self.pieces = {text[at:at + PIECE] for text in texts for at in range(len(text) - PIECE + 1)}

    def find(self, data):
        """Where the first window of a secret begins in these bytes, or None. The secret itself is never printed."""
        for at in range(0, len(data) - PIECE + 1, STEP):
            if data[at:at + PIECE] in self.pieces:
                for start in range(max(0, at - WINDOW + PIECE), at + 1):
                    if data[start:start + WINDOW] in self.windows:
                        return start
        return None
