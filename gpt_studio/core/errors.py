"""The one error made for people: what happened, what was kept, what to try."""


class StudioError(Exception):
    """A failure a person can understand and act on.

    Everything else that is raised is a programmer's error: it is logged and shown with its details.
    """

    def __init__(self, what: str, *, kept: str = "", tries: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.tries = tries

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.kept, self.tries) if part)
