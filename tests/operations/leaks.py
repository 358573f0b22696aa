"""Finds a secret, or any twelve characters of one, in what the service says anywhere."""

import base64

WINDOW = 12
# Every window of twelve holds one whole block of six that begins at a multiple of six: few things to search for, and
# what is found is looked at closely.
BLOCK = 6


def forms(secret):
    """A secret as it can be read: as it is, and inside a longer base64 at each of the three places it can have."""
    yield secret
    for place in range(3):
        inner = base64.b64encode(b"\0" * place + secret.encode()).decode()
        # What the neighbours of the secret would decide is cut off.
        yield inner[4 if place else 0:-4]


class Watch:
    def __init__(self, secrets):
        self.texts = [form.encode() for secret in secrets for form in forms(secret)]
        self.windows = {text[at:at + WINDOW] for text in self.texts for at in range(len(text) - WINDOW + 1)}
        self.blocks = {text[at:at + BLOCK] for text in self.texts for at in range(0, len(text) - BLOCK + 1, BLOCK)}

    def find(self, data):
        """The first window of a secret in these bytes, or None. The caller says where, and prints no window."""
        for block in self.blocks:
            at = data.find(block)
            while at >= 0:
                for start in range(max(0, at - WINDOW + BLOCK), at + 1):
                    if data[start:start + WINDOW] in self.windows:
                        return start
                at = data.find(block, at + 1)
        return None
