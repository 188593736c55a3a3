"""The `Contents` port: what was published in the back ends of all Studios."""

from collections.abc import Mapping

from studio_operator.ports import ModelServiceError, Refused


class FakeContents:
    """`revisions` holds files by (assistant, revision); `failure` is raised instead of an answer."""

    def __init__(self) -> None:
        self.revisions: dict[tuple[str, str], Mapping[str, str]] = {}
        self.failure: ModelServiceError | None = None
        self.fetched: list[tuple[str, str]] = []

    async def published(self, namespace: str, studio: str, assistant: str, revision: str) -> Mapping[str, str]:
        del namespace, studio
        if self.failure:
            raise self.failure
        self.fetched.append((assistant, revision))
        if (assistant, revision) not in self.revisions:
            raise Refused(404, f"{assistant} has no revision {revision}")
        return self.revisions[assistant, revision]
